import { createApp } from '../../functions/app.js';
import { API_DOCS } from '../../functions/app.openapi.js';
import { loadConfig } from '../../functions/platform/config.js';
import { openApiDocument } from '../../functions/platform/http/openapi.js';
import { Runtime } from '../../functions/platform/runtime.js';
import type { Contract } from './contract.js';

/** URLs of stores that do not exist. The app connects to none before its first request. */
const NOWHERE = {
  DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
  MONGODB_URL: 'mongodb://127.0.0.1:1/none',
  RABBITMQ_URL: 'amqp://127.0.0.1:1',
  JWT_SECRET: 'signs nothing here, and is long enough',
  LOG_LEVEL: 'silent',
};

/** The OpenAPI document of this code, made by the app itself, without any service. */
export async function document(): Promise<Contract> {
  const app = await createApp(loadConfig(NOWHERE), new Runtime('server'));
  try {
    return openApiDocument(app, API_DOCS) as unknown as Contract;
  } finally {
    await app.close();
  }
}
