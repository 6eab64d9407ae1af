import { declareMessages, MESSAGES, type MessageDocument, messagesDatabase } from '@disparo/contract';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import {
  type Collection,
  type Db,
  MongoClient,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
} from 'mongodb';
import { Config } from '../config.js';

const SELECTION_TIMEOUT_MS = 5_000;
const AWAY = [MongoNetworkError, MongoNotConnectedError, MongoServerSelectionError, MongoTopologyClosedError];

/** Whether MongoDB failed, and not the statement: then the same call may be tried again. */
export function isMongoAway(error: unknown): boolean {
  return AWAY.some((kind) => error instanceof kind);
}

/** The messages in MongoDB. Connects at the first use. */
@Injectable()
export class Mongo implements OnApplicationShutdown {
  #client: MongoClient | undefined;
  #declared: Promise<void> | undefined;

  constructor(private readonly config: Config) {}

  async messages(): Promise<Collection<MessageDocument>> {
    return (await this.#database()).collection<MessageDocument>(MESSAGES);
  }

  async ping(): Promise<void> {
    await (await this.#database()).command({ ping: 1 });
  }

  /** Creates the collection with its validator, once a process; after a failure the next call tries again. */
  declare(): Promise<void> {
    this.#declared ??= this.#declare().catch((error: unknown) => {
      this.#declared = undefined;
      throw error;
    });
    return this.#declared;
  }

  async close(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  async #declare(): Promise<void> {
    await declareMessages(await this.#database());
  }

  async #database(): Promise<Db> {
    // Made here and not in the constructor, since the driver refuses a malformed URL as soon as it sees it.
    this.#client ??= new MongoClient(this.config.mongodbUrl, {
      serverSelectionTimeoutMS: SELECTION_TIMEOUT_MS,
      connectTimeoutMS: SELECTION_TIMEOUT_MS,
    });
    // A statement connects by itself, but only once: when that fails, the driver says "Topology is closed" for ever.
    await this.#client.connect();
    return this.#client.db(messagesDatabase(this.config.mongodbUrl));
  }
}
