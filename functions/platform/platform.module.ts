import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Config } from './config.js';
import { HealthController } from './health.controller.js';
import { Log } from './log.js';
import { Metrics } from './metrics.js';
import { Mongo } from './mongo.js';
import { ObjectStore } from './object-store.js';
import { Postgres } from './postgres.js';
import { Broker } from './rabbitmq.js';
import { Runtime } from './runtime.js';
import { ServiceGauges } from './service-gauges.js';

const STORES = [Postgres, Mongo, Broker, ObjectStore, Metrics];

/** What every room stands on. Its stores close after HTTP and after the rooms. */
@Global()
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: Nest's own form of a module that is told something
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
      providers: [...given, ...STORES, ServiceGauges],
      exports: [Config, Runtime, Log, ...STORES],
    };
  }
}
