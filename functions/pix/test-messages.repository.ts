import { Injectable } from '@nestjs/common';
import { Postgres } from '../platform/stores/postgres.js';

/** Makes messages of invented people. */
@Injectable()
export class TestMessagesRepository {
  constructor(private readonly postgres: Postgres) {}

  async make(ispb: string, number: number): Promise<void> {
    await this.postgres.query('SELECT pix_generate($1, $2)', [ispb, number]);
  }
}
