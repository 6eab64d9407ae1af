import { messageId } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { numberPattern } from '../../retention/number-pattern.js';
import { count, type Found, Retention, type Run } from '../../retention/retention.js';
import { MessageStore } from '../message-store.js';
import { EraseRepository, type FoundChunk } from './erase.repository.js';

/** Where a number was found. It is removed there, unless the run is dry. */
interface Forgetting {
  /** Finished campaigns whose ledger held it. */
  campaigns: number;
  /** Lines of the ledger. */
  numbers: number;
  rejects: number;
  documents: number;
  /** Campaigns that hold it and are not finished: nothing in them was changed. */
  waiting: number;
}

const DOCUMENTS_AT_A_TIME = 500;

/**
 * Forgets one number in every finished campaign. The ledger's line becomes FORGOTTEN, so that the lines after it keep their
 * place, and the document is deleted. The ledger tells where most documents are; a scan of all documents finds the rest.
 */
@Injectable()
export class ForgetNumber {
  constructor(
    private readonly repository: EraseRepository,
    private readonly messages: MessageStore,
    retention: Retention,
  ) {
    retention.onForget('phone-number', (phoneNumber, run) => this.forget(phoneNumber, run));
  }

  /** Safe to repeat and to stop: a document goes before the ledger's line that tells of it. */
  private async forget(phoneNumber: string, run: Run): Promise<Found> {
    const { campaigns, numbers, rejects, documents, waiting } = await this.inAllCampaigns(phoneNumber, run);
    return {
      gone: [
        `${run.dryRun ? 'Would be forgotten' : 'Forgotten'} in ${count(campaigns)} campaigns`,
        `${count(numbers)} numbers in the ledger`,
        `${count(rejects)} rejects`,
        `${count(documents)} documents`,
      ],
      remarks:
        waiting > 0 ? [`${count(waiting)} campaigns that hold it are not finished: run it again when they are`] : [],
      waits: waiting > 0,
    };
  }

  private async inAllCampaigns(phoneNumber: string, run: Run): Promise<Forgetting> {
    const { stop } = run;
    const finished = new Set<string>();
    const waiting = new Set<string>();
    const found: Forgetting = { campaigns: 0, numbers: 0, rejects: 0, documents: 0, waiting: 0 };
    for await (const chunk of this.chunks(phoneNumber)) {
      if (stop.aborted) break;
      (chunk.finished ? finished : waiting).add(chunk.campaign_id);
      if (chunk.finished) await this.inChunk(phoneNumber, chunk, found, run);
    }
    found.campaigns = finished.size;
    if (!stop.aborted)
      found.rejects = await this.repository.rejectsLike(numberPattern(phoneNumber), { drop: !run.dryRun });
    if (!stop.aborted) await this.inOtherDocuments(phoneNumber, found, waiting, run);
    return { ...found, waiting: waiting.size };
  }

  private async inChunk(phoneNumber: string, chunk: FoundChunk, found: Forgetting, { dryRun }: Run): Promise<void> {
    const places = chunk.phone_numbers
      .split('\n')
      .flatMap((line, index) =>
        line === phoneNumber ? [messageId(chunk.campaign_id, chunk.first_sequence + index)] : [],
      );
    if (dryRun) {
      found.numbers += places.length;
      return;
    }
    found.documents += await this.messages.deletePlaces(places, phoneNumber);
    found.numbers += await this.repository.forget(phoneNumber, chunk);
  }

  /** Documents that the ledger did not tell of; in a dry run, which drops nothing, all documents. */
  private async inOtherDocuments(
    phoneNumber: string,
    found: Forgetting,
    waiting: Set<string>,
    { dryRun, stop }: Run,
  ): Promise<void> {
    for await (const places of batches(await this.messages.withNumber(phoneNumber))) {
      if (stop.aborted) return;
      const ids = [...new Set(places.map((place) => place.campaign_id))];
      const mayLose = await this.repository.mayLose(ids, dryRun ? undefined : phoneNumber);
      for (const { campaign_id } of places) if (!mayLose.has(campaign_id)) waiting.add(campaign_id);
      const going = places.filter(({ campaign_id }) => mayLose.has(campaign_id)).map(({ _id }) => _id);
      found.documents += dryRun ? going.length : await this.messages.deletePlaces(going, phoneNumber);
    }
  }

  private async *chunks(phoneNumber: string): AsyncGenerator<FoundChunk> {
    let page = await this.repository.chunksWith(phoneNumber);
    for (; page.length > 0; page = await this.repository.chunksWith(phoneNumber, page.at(-1))) yield* page;
  }
}

async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < DOCUMENTS_AT_A_TIME) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
