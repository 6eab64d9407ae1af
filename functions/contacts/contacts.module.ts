import { Module } from '@nestjs/common';
import { Duties } from '../platform/duties.js';
import { Loops } from '../platform/loops.js';
import { RetentionModule } from '../retention/retention.module.js';
import { AcceptContact } from './accept/accept-contact.js';
import { ContactsBacklog } from './accept/contacts-backlog.js';
import { ContactsController } from './contacts.controller.js';
import { ContactsRepository } from './contacts.repository.js';
import { ProcessContacts } from './process-contacts.js';
import { ReadJob } from './read-job.js';
import { ContactsGauges } from './upkeep/contacts-gauges.js';
import { ContactsUpkeep } from './upkeep/contacts-upkeep.js';
import { ForgetContact } from './upkeep/forget-contact.js';

const EVERY_MS = 60_000;

/** Users by the hundred thousand at once: each request is answered, each job has an end. Needs PostgreSQL only. */
@Module({
  imports: [RetentionModule],
  controllers: [ContactsController],
  providers: [
    ContactsRepository,
    ContactsBacklog,
    ContactsGauges,
    ContactsUpkeep,
    ForgetContact,
    AcceptContact,
    ProcessContacts,
    ReadJob,
  ],
  exports: [ProcessContacts],
})
export class ContactsModule {
  constructor(duties: Duties, loops: Loops, upkeep: ContactsUpkeep, processing: ProcessContacts, reading: ReadJob) {
    duties.add({ name: 'contacts-sweep', everyMs: EVERY_MS, run: (stop) => upkeep.sweep(stop) });
    duties.add({ name: 'contacts-check', everyMs: EVERY_MS, run: () => upkeep.check() });
    loops.add({ name: 'contacts-process', run: (stop) => processing.loop(stop) });
    loops.add({ name: 'contacts-read', run: (stop) => reading.loop(stop) });
  }
}
