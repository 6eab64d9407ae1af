import { Injectable } from '@nestjs/common';
import { Counter, Gauge } from 'prom-client';
import { Metrics } from '../../platform/telemetry/metrics.js';

const LINES = ['rejected', 'created', 'repeated', 'conflicting'] as const;
const ISSUED = ['registered', 'already', 'refused', 'unavailable'] as const;
const PAYMENTS = ['recorded', 'repeated', 'unmatched', 'reused'] as const;
const MAILS = ['sent', 'refused', 'later', 'unsent', 'unknown'] as const;

/** What became of a line that is not blank. */
export type LineOutcome = (typeof LINES)[number];
/** What a bank said of a title. */
export type IssueResult = (typeof ISSUED)[number];
/** What became of a payment that was signed. */
export type PaymentResult = (typeof PAYMENTS)[number];
/** What became of a mail that was begun: `unsent` is nobody's fault but the server's, `later` is tried again for this mail. */
export type MailOutcome = (typeof MAILS)[number];

/** Counts what this process does to debts, after the commit of it. */
@Injectable()
export class BillingMeter {
  readonly #lines: Counter;
  readonly #issued: Counter;
  readonly #payments: Counter;
  readonly #mails: Counter;
  readonly #smtp: Gauge;

  constructor({ registry }: Metrics) {
    const registers = [registry];
    this.#lines = new Counter({
      name: 'disparo_billing_lines_total',
      help: 'Lines of accepted imports by what became of them; blank ones are not counted.',
      labelNames: ['outcome'],
      registers,
    });
    this.#issued = new Counter({
      name: 'disparo_billing_issued_total',
      help: 'Titles that a bank was asked to register, by what it said.',
      labelNames: ['result'],
      registers,
    });
    this.#payments = new Counter({
      name: 'disparo_billing_payments_total',
      help: 'Signed payments by what became of them.',
      labelNames: ['result'],
      registers,
    });
    this.#mails = new Counter({
      name: 'disparo_billing_mails_total',
      help: 'Mails that were begun, by what their own connection saw.',
      labelNames: ['outcome'],
      registers,
    });
    this.#smtp = new Gauge({
      name: 'disparo_billing_smtp_up',
      help: 'Whether the mail server was there for the last connection or mail; nothing before the first.',
      labelNames: ['service'],
      // Of several processes: mails go out as long as one of them gets through.
      aggregator: 'max',
      registers,
    });
    for (const outcome of LINES) this.#lines.inc({ outcome }, 0);
    for (const result of ISSUED) this.#issued.inc({ result }, 0);
    for (const result of PAYMENTS) this.#payments.inc({ result }, 0);
    for (const outcome of MAILS) this.#mails.inc({ outcome }, 0);
  }

  lines(outcome: LineOutcome, count: number): void {
    this.#lines.inc({ outcome }, count);
  }

  issued(result: IssueResult, count = 1): void {
    this.#issued.inc({ result }, count);
  }

  payment(result: PaymentResult): void {
    this.#payments.inc({ result });
  }

  mail(outcome: MailOutcome): void {
    this.#mails.inc({ outcome });
  }

  smtp(isUp: boolean): void {
    this.#smtp.set({ service: 'smtp' }, isUp ? 1 : 0);
  }
}
