import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { readEnvelope } from '../../../functions/events/intake/envelope.js';
import type { Options } from './options.js';
import { BAD_BODY, CLIENTS, type Message, Stream } from './stream.js';
import { TYPES } from './types.js';

const ALL = { types: Object.keys(TYPES), bad: 0, duplicate: 0, seed: 7 };

function made(count: number, options: Partial<Options> = {}, run = 'run'): Message[] {
  const stream = new Stream({ ...ALL, ...options }, run);
  return Array.from({ length: count }, () => stream.next());
}

/** A message without its time, and with its event, so that a repeat is told from a new one. */
const told = ({ id, event }: Message) => [id, event && [event.id, event.type, event.clientId, event.text]];

test('the same seed and run make the same events, and another seed makes others', () => {
  const shares = { bad: 0.1, duplicate: 0.2 };
  const first = made(500, shares).map(told);
  expect(made(500, shares).map(told)).toEqual(first);
  expect(made(500, { ...shares, seed: 8 }).map(told)).not.toEqual(first);
});

test('another run with the same seed has other ids and the same messages', () => {
  const [one, other] = [made(200, { bad: 0.1 }, 'one'), made(200, { bad: 0.1 }, 'other')];
  expect(other.map(({ event }) => event?.text)).toEqual(one.map(({ event }) => event?.text));
  expect(new Set([...one, ...other].map(({ id }) => id)).size).toBe(400);
});

test('the shares of bad ones and of duplicates are as asked', () => {
  const messages = made(20_000, { bad: 0.11, duplicate: 0.05 });
  const bad = messages.filter(({ event }) => event === undefined);
  const repeats = messages.filter(({ id, event }) => event !== undefined && event.id !== id);
  expect(bad.length / messages.length).toBeCloseTo(0.11, 1.5);
  expect(repeats.length / messages.length).toBeCloseTo(0.05, 1.5);
  expect(bad.every(({ body }) => body.equals(BAD_BODY))).toBe(true);
});

test('a duplicate is the same event under another id of the broker', () => {
  const messages = made(1_000, { duplicate: 0.5 });
  const byId = new Map(messages.filter(({ id, event }) => event?.id === id).map(({ id, body }) => [id, body]));
  const repeats = messages.filter(({ id, event }) => event?.id !== id);
  expect(repeats.length).toBeGreaterThan(0);
  for (const { body, event } of repeats) expect(body).toBe(byId.get(event?.id ?? ''));
});

test('every event is an envelope that the intake reads, and its schema takes its message', () => {
  const ajv = new Ajv2020();
  const checks = new Map(Object.entries(TYPES).map(([name, { schema }]) => [name, ajv.compile(schema)]));
  const seen = new Set<string>();
  for (const { id, body, event } of made(1_000)) {
    const read = readEnvelope(body);
    if (!read.ok) throw new Error(read.field);
    const { envelope } = read;
    expect([envelope.id, envelope.eventType, envelope.clientId, envelope.text]).toEqual([
      id,
      event?.type,
      event?.clientId,
      event?.text,
    ]);
    expect([envelope.eventType, checks.get(envelope.eventType)?.(JSON.parse(envelope.text))]).toEqual([
      event?.type,
      true,
    ]);
    seen.add(`${envelope.eventType} ${envelope.clientId} ${typeof envelope.message}`);
  }
  const forms = { 'monitor-app': 'object', 'user-app': 'string', 'transaction-app': 'object' };
  const all = Object.entries(forms).flatMap(([type, form]) => CLIENTS.map((client) => `${type} ${client} ${form}`));
  expect([...seen].sort()).toEqual(all.sort());
});
