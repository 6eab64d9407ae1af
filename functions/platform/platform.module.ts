import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Config } from './config.js';
import { Duties } from './duties.js';
import { CsvReply } from './http/csv.js';
import { HealthController } from './http/health.controller.js';
import { Idempotency } from './idempotency.js';
import { Loops } from './loops.js';
import { Runtime } from './runtime.js';
import { Mongo } from './stores/mongo.js';
import { ObjectStore } from './stores/object-store.js';
import { Postgres } from './stores/postgres.js';
import { Broker } from './stores/rabbitmq.js';
import { Log } from './telemetry/log.js';
import { Metrics } from './telemetry/metrics.js';
import { ServiceGauges } from './telemetry/service-gauges.js';

const STORES = [Postgres, Mongo, Broker, ObjectStore, Metrics];

/** What every module stands on. Its stores close after HTTP and after the modules. */
@Global()
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: Nest's own form of a module with parameters
export class PlatformModule {
  static for(config: Config, runtime: Runtime, log: Log): DynamicModule {
    const given = [
      { provide: Config, useValue: config },
      { provide: Runtime, useValue: runtime },
      { provide: Log, useValue: log },
    ];
    return {
      module: PlatformModule,
      controllers: [HealthController],
      providers: [...given, ...STORES, Duties, Loops, Idempotency, CsvReply, ServiceGauges],
      exports: [Config, Runtime, Log, ...STORES, Duties, Loops, Idempotency, CsvReply],
    };
  }
}
