import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { EventClients } from './registry/event-clients.js';
import { EventTypes } from './registry/event-types.js';
import { MemoryRegistry } from './registry/memory-registry.js';
import { Registry } from './registry/registered.js';
import { RegistryController } from './registry/registry.controller.js';
import { RegistryRepository } from './registry/registry.repository.js';

/** Events of many tenants: who they are for and what they may be. Needs PostgreSQL only. */
@Module({
  imports: [AccountsModule],
  controllers: [RegistryController],
  providers: [RegistryRepository, EventClients, EventTypes, { provide: Registry, useClass: MemoryRegistry }],
})
export class EventsModule {}
