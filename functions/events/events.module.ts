import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { Duties } from '../platform/duties.js';
import { Loops } from '../platform/loops.js';
import { AcceptEvents } from './accept-events.js';
import { EventsController } from './events.controller.js';
import { EventBrokers } from './intake/event-brokers.js';
import { EventsMeter } from './intake/events-meter.js';
import { IntakeRepository } from './intake/intake.repository.js';
import { ProcessEvents } from './intake/process-events.js';
import { StoreEvents } from './intake/store-events.js';
import { QuarantineController } from './quarantine/quarantine.controller.js';
import { Quarantine } from './quarantine/quarantine.js';
import { QuarantineRepository } from './quarantine/quarantine.repository.js';
import { ReadEvents } from './read-events.js';
import { EventClients } from './registry/event-clients.js';
import { EventTypes } from './registry/event-types.js';
import { MemoryRegistry } from './registry/memory-registry.js';
import { Registry } from './registry/registered.js';
import { RegistryController } from './registry/registry.controller.js';
import { RegistryRepository } from './registry/registry.repository.js';
import { RegistryVersion } from './registry/registry-version.js';
import { EventsGauges } from './upkeep/events-gauges.js';
import { EventsRetention } from './upkeep/events-retention.js';
import { QueueLag } from './upkeep/queue-lag.js';
import { UpkeepRepository } from './upkeep/upkeep.repository.js';
import { WatchEvents } from './upkeep/watch-events.js';

const RETENTION_EVERY_MS = 60_000;

const REGISTRY = [
  RegistryRepository,
  RegistryVersion,
  EventClients,
  EventTypes,
  { provide: Registry, useClass: MemoryRegistry },
];
const INTAKE = [IntakeRepository, EventsMeter, StoreEvents, EventBrokers, ProcessEvents];
const HTTP = [AcceptEvents, ReadEvents];
const QUARANTINE = [QuarantineRepository, Quarantine];
const UPKEEP = [UpkeepRepository, QueueLag, EventsGauges, EventsRetention, WatchEvents];

/**
 * Events of many tenants: who they are for and what they may be, how they come in, and what is none. Needs PostgreSQL, and
 * for its loop a broker.
 */
@Module({
  imports: [AccountsModule],
  controllers: [RegistryController, QuarantineController, EventsController],
  providers: [...REGISTRY, ...INTAKE, ...HTTP, ...QUARANTINE, ...UPKEEP],
  exports: [ProcessEvents, Quarantine, EventClients, RegistryVersion],
})
export class EventsModule {
  constructor(duties: Duties, loops: Loops, processing: ProcessEvents, retention: EventsRetention) {
    loops.add({ name: 'events', run: (stop) => processing.loop(stop) });
    duties.add({ name: 'events-retention', everyMs: RETENTION_EVERY_MS, run: (stop) => retention.sweep(stop) });
  }
}
