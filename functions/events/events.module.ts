import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { Loops } from '../platform/loops.js';
import { EventBrokers } from './intake/event-brokers.js';
import { EventsMeter } from './intake/events-meter.js';
import { IntakeRepository } from './intake/intake.repository.js';
import { ProcessEvents } from './intake/process-events.js';
import { StoreEvents } from './intake/store-events.js';
import { EventClients } from './registry/event-clients.js';
import { EventTypes } from './registry/event-types.js';
import { MemoryRegistry } from './registry/memory-registry.js';
import { Registry } from './registry/registered.js';
import { RegistryController } from './registry/registry.controller.js';
import { RegistryRepository } from './registry/registry.repository.js';

/** Events of many tenants: who they are for, what they may be, and how none of them is lost. */
@Module({
  imports: [AccountsModule],
  controllers: [RegistryController],
  providers: [
    RegistryRepository,
    EventClients,
    EventTypes,
    { provide: Registry, useClass: MemoryRegistry },
    IntakeRepository,
    EventsMeter,
    StoreEvents,
    EventBrokers,
    ProcessEvents,
  ],
})
export class EventsModule {
  constructor(loops: Loops, processing: ProcessEvents) {
    loops.add({ name: 'events', run: (stop) => processing.loop(stop) });
  }
}
