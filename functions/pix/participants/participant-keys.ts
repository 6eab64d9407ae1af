import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Config } from '../../platform/config.js';
import { Deadline, withDeadline } from '../../platform/deadline.js';
import { NotFound, ServiceUnavailable } from '../../platform/problem.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { KeyInvalid, KeyMissing } from '../pix.errors.js';
import { sentKey } from './api-key.js';
import { BriefMemory } from './brief-memory.js';
import { ParticipantsRepository } from './participants.repository.js';

/** Less than a collector waits for its answer: then it hears what is wrong. */
const ANSWER_MS = 5_000;

/** Who may collect for which ISPB. */
@Injectable()
export class ParticipantKeys {
  /** By the ISPB, and not by the key: keys that somebody invents fill no memory, and push nothing out of it. */
  readonly #bindings: BriefMemory<Awaited<ReturnType<ParticipantsRepository['bindingOf']>>>;

  constructor(
    private readonly config: Config,
    private readonly postgres: Postgres,
    private readonly repository: ParticipantsRepository,
  ) {
    this.#bindings = new BriefMemory((ispb) => this.#asked(() => repository.bindingOf(ispb)));
  }

  /**
   * Lets all collect for an ISPB that was never bound, whatever they send, where PIX_OPEN is on. Else throws KeyMissing,
   * KeyInvalid, NotFound for a key of another ISPB, ServiceUnavailable. A key that is void fits for ten seconds more at most,
   * and an ISPB stays open for as long after it is bound; a new key fits at once, as one that is not kept is looked up.
   */
  admit(ispb: string, authorization: string | undefined): Promise<void> {
    return withDeadline(ANSWER_MS, this.#admit(ispb, authorization), () => {
      throw new ServiceUnavailable('the database does not answer');
    });
  }

  async #admit(ispb: string, authorization: string | undefined): Promise<void> {
    const binding = await this.#bindings.get(ispb);
    if (!binding && this.config.pixOpen) return;
    const sent = sentKey(authorization);
    if (!sent) throw new KeyMissing();
    const { hash } = sent;
    if (hash === undefined) throw new KeyInvalid();
    if (binding?.hashes.some((each) => timingSafeEqual(each, hash))) return;
    // An index compares byte by byte, and its time may tell where two hashes differ: nobody can choose a key by its hash.
    const keyed = await this.#asked(() => this.repository.ispbOf(hash));
    if (keyed === ispb) return this.changed(ispb);
    throw binding && keyed !== undefined ? new NotFound() : new KeyInvalid();
  }

  /** An ISPB has other keys now: this process reads them at its next request, other processes within ten seconds. */
  changed(ispb: string): void {
    this.#bindings.forget(ispb);
  }

  /** Of no request: many may share it, and the time of one must not end it. A connection that falls silent is dropped. */
  #asked<T>(statement: () => Promise<T>): Promise<T> {
    return Deadline.without(() => this.postgres.unlessSilent(statement, ANSWER_MS));
  }
}
