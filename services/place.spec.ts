import { expect, test } from 'vitest';
import { inDatabase } from './place.js';

test.each([
  ['postgresql://a:b@c:1/d', 'postgresql://a:b@c:1/own'],
  ['postgresql://a:b@c/d?sslmode=require', 'postgresql://a:b@c/own?sslmode=require'],
  ['mongodb://c:1', 'mongodb://c:1/own'],
  ['mongodb://a:b@c:1,e:2/d?replicaSet=r', 'mongodb://a:b@c:1,e:2/own?replicaSet=r&authSource=d'],
  ['mongodb://a:b@c:1', 'mongodb://a:b@c:1/own?authSource=admin'],
  ['mongodb+srv://a:b@c/d?authSource=e', 'mongodb+srv://a:b@c/own?authSource=e'],
])('another database of %s keeps its server, its user and its options', (url, own) => {
  expect(inDatabase(url, 'own')).toBe(own);
});
