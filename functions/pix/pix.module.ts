import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { Duties } from '../platform/duties.js';
import { Loops } from '../platform/loops.js';
import { RetentionModule } from '../retention/retention.module.js';
import { AbandonedStreams } from './collect/abandoned-streams.js';
import { Bells } from './collect/bells.js';
import { CloseStream } from './collect/close-stream.js';
import { Collect } from './collect/collect.js';
import { StreamsRepository } from './collect/streams.repository.js';
import { MakeMessages } from './make-messages.js';
import { BindIspb } from './participants/bind-ispb.js';
import { ParticipantKeys } from './participants/participant-keys.js';
import { ParticipantsController } from './participants/participants.controller.js';
import { ParticipantsRepository } from './participants/participants.repository.js';
import { PixController } from './pix.controller.js';
import { TestMessagesController } from './test-messages.controller.js';
import { TestMessagesRepository } from './test-messages.repository.js';
import { EndStreams } from './upkeep/end-streams.js';
import { PixGauges } from './upkeep/pix-gauges.js';
import { PixMeter } from './upkeep/pix-meter.js';
import { PixRetention } from './upkeep/pix-retention.js';
import { PixRetentionRepository } from './upkeep/pix-retention.repository.js';
import { PixUpkeepRepository } from './upkeep/upkeep.repository.js';

const END_EVERY_MS = 60_000;

const COLLECT = [StreamsRepository, Bells, AbandonedStreams, Collect, CloseStream];
const PARTICIPANTS = [ParticipantsRepository, ParticipantKeys, BindIspb];
const UPKEEP = [PixMeter, PixUpkeepRepository, PixGauges, EndStreams, PixRetentionRepository, PixRetention];

/** Pix messages, collected by streams. Needs PostgreSQL alone. */
@Module({
  imports: [AccountsModule, RetentionModule],
  controllers: [PixController, TestMessagesController, ParticipantsController],
  providers: [...COLLECT, ...PARTICIPANTS, ...UPKEEP, TestMessagesRepository, MakeMessages],
})
export class PixModule {
  constructor(duties: Duties, loops: Loops, bells: Bells, ending: EndStreams) {
    loops.add({ name: 'pix', run: (stop) => bells.loop(stop) });
    duties.add({ name: 'pix-streams', everyMs: END_EVERY_MS, run: (stop) => ending.end(stop) });
  }
}
