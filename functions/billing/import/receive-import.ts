import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Memberships } from '../../accounts/companies/memberships.js';
import { Config } from '../../platform/config.js';
import { Deadline, withDeadline } from '../../platform/deadline.js';
import { readForm } from '../../platform/http/form.js';
import { Spool } from '../../platform/http/spool.js';
import { parseWith } from '../../platform/http/validation.js';
import { Runtime } from '../../platform/runtime.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { FileMissing, FileTooLarge } from '../billing.errors.js';
import { ofCompany } from '../billing.schemas.js';
import { AcceptImport, type FileOfDebts, shownFileName } from './accept-import.js';
import { viewOf } from './import-view.js';
import { ImportsRepository, type NewImport } from './imports.repository.js';
import type { ImportView } from './imports.schemas.js';
import { MergeImports } from './merge-imports.js';

/** A function gets its request whole; the gateway takes 10 MiB at most. */
const FUNCTION_UPLOAD_MIB = 9;
/** How long the answer waits for the merge, which goes on behind it. */
const MERGE_MS = 2_000;

/** Takes a file from its form to its commit, and begins to merge it. */
@Injectable()
export class ReceiveImport {
  readonly #limitMib: number;

  constructor(
    config: Config,
    private readonly runtime: Runtime,
    private readonly memberships: Memberships,
    private readonly postgres: Postgres,
    private readonly accepting: AcceptImport,
    private readonly merging: MergeImports,
    private readonly imports: ImportsRepository,
    private readonly log: Log,
  ) {
    this.#limitMib = runtime.kind === 'function' ? FUNCTION_UPLOAD_MIB : config.uploadLimitMib;
  }

  /**
   * Reads the form to its end, then accepts its file in one transaction, so that a slow client holds no connection. Returns the
   * import once it is merged, or two seconds after the commit. Throws ValidationProblem, FileMissing, FileTooLarge, FileEmpty,
   * HeaderInvalid, FileNotText, TooManyRejects, CompanyNotFound, ServiceUnavailable; then nothing is stored.
   */
  async receive(userId: string, request: FastifyRequest): Promise<ImportView> {
    const spool = new Spool();
    try {
      const { companyId, fileName } = await this.#readForm(request, spool);
      await this.memberships.requireMember(userId, companyId);
      const made = await this.#accept({ userId, companyId, fileName, bytes: spool.read() });
      await this.#mergeBriefly(made);
      return await this.#viewNow(companyId, made);
    } finally {
      await spool.close();
    }
  }

  async #readForm(request: FastifyRequest, spool: Spool): Promise<Pick<FileOfDebts, 'companyId' | 'fileName'>> {
    if (!request.isMultipart()) throw new FileMissing();
    const limitMib = this.#limitMib;
    const { fields, file } = await readForm(request, {
      limitMib,
      begin: () => (piece) => spool.add(piece),
      tooLarge: () => new FileTooLarge(limitMib),
    });
    const { company_id: companyId } = parseWith(ofCompany, fields);
    request.companyId = companyId;
    if (!file) throw new FileMissing();
    if (file.isTooLarge) throw new FileTooLarge(limitMib);
    return { companyId, fileName: shownFileName(file.name) };
  }

  async #accept(file: FileOfDebts): Promise<NewImport> {
    const made = await this.accepting.inPlace(() =>
      this.postgres.transaction((sql) => this.accepting.accept(sql, file)),
    );
    this.accepting.committed(file.companyId, made);
    return made;
  }

  /** The import is accepted: what goes wrong from here on is mended by the next pass. In a function nothing runs on behind it. */
  async #mergeBriefly({ importNo }: NewImport): Promise<void> {
    const brief = new AbortController();
    const stop =
      this.runtime.kind === 'function' ? AbortSignal.any([brief.signal, this.runtime.stopping]) : this.runtime.stopping;
    const merging = Deadline.without(() => this.merging.mergeImport(importNo, stop)).catch((err: unknown) => {
      this.log.warn({ import_no: importNo, err }, 'an import is merged later');
    });
    await withDeadline<unknown>(MERGE_MS, merging, () => brief.abort());
  }

  /** As it is now; if it cannot be read, as it was at its commit: a caller that is told otherwise would send it again. */
  async #viewNow(companyId: string, made: NewImport): Promise<ImportView> {
    try {
      const row = await Deadline.without(() => this.imports.find(made.companyNo, made.id));
      if (row) return viewOf(row);
    } catch (err) {
      this.log.warn({ import_id: made.id, err }, 'answered an import as it was at its commit');
    }
    return viewOf(atCommit(companyId, made));
  }
}

function atCommit(
  companyId: string,
  { importNo, fileName, sha256, bytes, ...made }: NewImport,
): Parameters<typeof viewOf>[0] {
  return {
    ...made,
    company_id: companyId,
    file_name: fileName,
    sha256: sha256.toString('hex'),
    bytes: String(bytes),
    waiting: made.accepted,
    created: 0,
    repeated: 0,
    conflicting: 0,
    repeats_import: null,
    rejects: [],
    created_at: new Date(),
    finished_at: null,
  };
}
