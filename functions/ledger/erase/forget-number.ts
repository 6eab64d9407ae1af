import { messageId } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { ErasedDocuments } from '../../retention/erased-documents.js';
import { type FoundChunk, RetentionRepository } from './erase.repository.js';

/** Where a number was found, and is gone from unless it was only counted. */
export interface Forgetting {
  /** Finished campaigns whose ledger held it. */
  campaigns: number;
  /** Lines of the ledger. */
  numbers: number;
  rejects: number;
  documents: number;
  /** Campaigns that hold it and are not finished: nothing of them changed. */
  waiting: number;
  whole: boolean;
}

const BRAZIL = /^\+55/;
const DOCUMENTS_AT_A_TIME = 500;

/**
 * Forgets one number in every finished campaign: the ledger's line becomes FORGOTTEN, so that the lines behind it keep their
 * place, and the document goes. The ledger tells where most documents are; the rest is found by reading all of them.
 */
@Injectable()
export class ForgetNumber {
  constructor(
    private readonly retention: RetentionRepository,
    private readonly documents: ErasedDocuments,
  ) {}

  /** Changes nothing. */
  count(phoneNumber: string, stop: AbortSignal): Promise<Forgetting> {
    return this.go(phoneNumber, stop, { drop: false });
  }

  /** Safe to repeat, and to be stopped: documents go before the line that tells of them. */
  forget(phoneNumber: string, stop: AbortSignal): Promise<Forgetting> {
    return this.go(phoneNumber, stop, { drop: true });
  }

  private async go(phoneNumber: string, stop: AbortSignal, options: { drop: boolean }): Promise<Forgetting> {
    const finished = new Set<string>();
    const waiting = new Set<string>();
    const found: Forgetting = { campaigns: 0, numbers: 0, rejects: 0, documents: 0, waiting: 0, whole: false };
    for await (const chunk of this.chunks(phoneNumber)) {
      if (stop.aborted) break;
      (chunk.finished ? finished : waiting).add(chunk.campaign_id);
      if (chunk.finished) await this.inChunk(phoneNumber, chunk, found, options);
    }
    found.campaigns = finished.size;
    if (!stop.aborted) found.rejects = await this.retention.rejectsLike(asWritten(phoneNumber), options);
    if (!stop.aborted) await this.elsewhere(phoneNumber, found, waiting, stop, options);
    return { ...found, waiting: waiting.size, whole: !stop.aborted };
  }

  private async inChunk(
    phoneNumber: string,
    chunk: FoundChunk,
    found: Forgetting,
    { drop }: { drop: boolean },
  ): Promise<void> {
    const places = chunk.phone_numbers
      .split('\n')
      .flatMap((line, index) =>
        line === phoneNumber ? [messageId(chunk.campaign_id, chunk.first_sequence + index)] : [],
      );
    if (!drop) {
      found.numbers += places.length;
      return;
    }
    found.documents += await this.documents.deletePlaces(places, phoneNumber);
    found.numbers += await this.retention.forget(phoneNumber, chunk);
  }

  /** Documents that the ledger did not tell of; where nothing was dropped, all of them. */
  private async elsewhere(
    phoneNumber: string,
    found: Forgetting,
    waiting: Set<string>,
    stop: AbortSignal,
    { drop }: { drop: boolean },
  ): Promise<void> {
    for await (const places of batches(await this.documents.with(phoneNumber))) {
      if (stop.aborted) return;
      const ids = [...new Set(places.map((place) => place.campaign_id))];
      const mayLose = await this.retention.mayLose(ids, drop ? phoneNumber : undefined);
      for (const { campaign_id } of places) if (!mayLose.has(campaign_id)) waiting.add(campaign_id);
      const going = places.filter(({ campaign_id }) => mayLose.has(campaign_id)).map(({ _id }) => _id);
      found.documents += drop ? await this.documents.deletePlaces(going, phoneNumber) : going.length;
    }
  }

  private async *chunks(phoneNumber: string): AsyncGenerator<FoundChunk> {
    let page = await this.retention.chunksWith(phoneNumber);
    for (; page.length > 0; page = await this.retention.chunksWith(phoneNumber, page.at(-1))) yield* page;
  }
}

/**
 * The digits of a reject that is this number. People write a Brazilian one with and without country code, so DDD and number are
 * looked for, wherever they stand; of another country the whole, as the few digits of a short one stand in many others.
 */
function asWritten(phoneNumber: string): string {
  return BRAZIL.test(phoneNumber) ? phoneNumber.replace(BRAZIL, '') : `^0*${phoneNumber.replace('+', '')}$`;
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
