import { Injectable } from '@nestjs/common';
import { cleanBody } from '../../platform/http/body.js';
import { isId } from '../../platform/http/validation.js';
import { ServiceUnavailable, ValidationProblem } from '../../platform/problem.js';
import { isContended } from '../../platform/stores/postgres.js';
import { EventReused, SignatureInvalid } from '../billing.errors.js';
import { barcodeOf, ourNumberOf } from '../issue/codes/boleto.js';
import { SecretsRepository } from '../settings/secrets.repository.js';
import { BillingMeter } from '../upkeep/billing-meter.js';
import { ClosingRepository } from './closing.repository.js';
import { contentOf, type Payment, paymentOf, type Reference } from './payment.js';
import type { RecordedPayment } from './payments.schemas.js';
import { isSigned } from './signature.js';

/** Takes the payments that banks and gateways tell of. */
@Injectable()
export class RecordPayment {
  constructor(
    private readonly secrets: SecretsRepository,
    private readonly repository: ClosingRepository,
    private readonly meter: BillingMeter,
  ) {}

  /**
   * Records a payment once, by its event. The signature is over the bytes, before anything of them is believed. One that
   * fits no debt is kept as well: money never vanishes. Throws SignatureInvalid, EventReused; ValidationProblem for what is
   * no JSON, and, of signed bytes only, for another shape.
   */
  async record(companyId: string, header: string | undefined, bytes: Buffer): Promise<RecordedPayment> {
    const body = bodyIn(bytes);
    const signer = isId(companyId) ? await this.secrets.living(companyId) : undefined;
    if (!isSigned(header, bytes, signer?.secrets ?? [], Date.now()) || !signer) throw new SignatureInvalid();
    const payment = paymentOf(cleanBody(body));
    const result = await this.#pay(signer.companyNo, payment);
    this.meter.payment(result);
    if (result === 'reused') throw new EventReused();
    return { result };
  }

  async #pay(companyNo: number, payment: Payment): Promise<RecordedPayment['result'] | 'reused'> {
    try {
      const debtId = await this.#debtOf(companyNo, payment.reference);
      return await this.repository.pay(companyNo, debtId, payment, contentOf(payment));
    } catch (error) {
      throw isContended(error) ? new ServiceUnavailable('the database is too busy', error) : error;
    }
  }

  /**
   * Which debt of this company it names, if any. The nosso número alone says neither whose it is nor how much: the whole bar
   * code must be that of the boleto.
   */
  async #debtOf(companyNo: number, { kind, value }: Reference): Promise<string | undefined> {
    if (kind === 'debt') return value;
    const ourNumber = kind === 'barcode' ? ourNumberOf(value) : undefined;
    const title = ourNumber === undefined ? undefined : await this.repository.title(companyNo, ourNumber);
    if (ourNumber === undefined || !title) return undefined;
    const { agreement, cents, due_on: dueOn } = title;
    const barcode = title.barcode ?? barcodeOf({ agreement, ourNumber, cents: Number(cents), dueOn });
    return barcode === value ? title.debt_id : undefined;
  }
}

/** Bytes that are no UTF-8 become U+FFFD, which cleanBody refuses. A byte order mark is skipped, as on every route. */
function bodyIn(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new ValidationProblem([{ path: '', message: 'the body is not JSON' }]);
  }
}
