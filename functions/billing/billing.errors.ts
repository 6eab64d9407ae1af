import { Problem } from '../platform/problem.js';

/** 404: no such import, or another company's. */
export class ImportNotFound extends Problem {
  constructor() {
    super(404, 'BILLING.IMPORT_NOT_FOUND', 'there is no such import');
  }
}

/** 404: no such debt, another company's, or a text that is no UUID. */
export class DebtNotFound extends Problem {
  constructor() {
    super(404, 'BILLING.DEBT_NOT_FOUND', 'there is no such debt');
  }
}

/** 409: the debt has no boleto yet. */
export class NotIssued extends Problem {
  constructor() {
    super(409, 'BILLING.NOT_ISSUED', 'the debt has no boleto yet; ask again later');
  }
}

/** 409: the debt is cancelled or paid, so nobody shall pay by its boleto any more. */
export class DebtClosed extends Problem {
  static readonly sample = (): Problem => new DebtClosed('paga');

  constructor(status: string) {
    super(409, 'BILLING.DEBT_CLOSED', `the debt is "${status}", so its boleto is not given out any more`);
  }
}

/** 409: a state that this command does not leave. */
export class InvalidTransition extends Problem {
  static readonly sample = (): Problem => new InvalidTransition('cancel', 'paga');

  constructor(command: string, status: string) {
    super(409, 'BILLING.INVALID_TRANSITION', `a debt that is "${status}" cannot take "${command}"`);
  }
}

/** 404: the debt has no delivery of this number. */
export class DeliveryNotFound extends Problem {
  constructor() {
    super(404, 'BILLING.DELIVERY_NOT_FOUND', 'the debt has no such delivery');
  }
}

/** 409: a mail of the debt is owed, under way, or waits for a person, so there is no other one. */
export class DeliveryOpen extends Problem {
  constructor() {
    super(
      409,
      'BILLING.DELIVERY_OPEN',
      'a mail of the debt is still open: it is owed, under way, or waits to be resolved',
    );
  }
}

/** 409: a person decides only about mails of which nobody knows whether they were sent. */
export class DeliveryNotHeld extends Problem {
  static readonly sample = (): Problem => new DeliveryNotHeld('enviada');

  constructor(status: string) {
    super(
      409,
      'BILLING.INVALID_TRANSITION',
      `the delivery is "${status}"; only one that is "desconhecida" is resolved`,
    );
  }
}

/** 409: the mail may still be on its way from the worker that began it (B12). */
export class DeliveryTooYoung extends Problem {
  static readonly sample = (): Problem => new DeliveryTooYoung(new Date('2026-11-24T12:10:00Z'));

  /** @param from Ten minutes after it began. */
  constructor(from: Date) {
    super(
      409,
      'BILLING.INVALID_TRANSITION',
      `the delivery may still be on its way; "nao_enviada" can be said from ${from.toISOString()} on, ten minutes after it began`,
    );
  }
}

/** 401: nothing that a living secret of the company signs, or signed more than 300 s ago. */
export class SignatureInvalid extends Problem {
  constructor() {
    super(401, 'BILLING.SIGNATURE_INVALID', 'the signature fits no living secret, or its time is over 300 s away');
  }
}

/** 409: the same event came before, with other content. */
export class EventReused extends Problem {
  constructor() {
    super(409, 'BILLING.EVENT_REUSED', 'this event_id came before with other content, which stays');
  }
}

/** 400: the form has no file. */
export class FileMissing extends Problem {
  constructor() {
    super(400, 'BILLING.FILE_MISSING', 'the form has no file; with curl: -F file=@debts.csv');
  }
}

/** 400: no line but a header. */
export class FileEmpty extends Problem {
  constructor() {
    super(400, 'BILLING.FILE_EMPTY', 'the file has no line after its header');
  }
}

/** 400: the header lacks a column, or has one twice. */
export class HeaderInvalid extends Problem {
  static readonly sample = (): Problem => new HeaderInvalid('the header has no column debtAmount, debtId');

  /** @param detail Names the columns. */
  constructor(detail: string) {
    super(400, 'BILLING.HEADER_INVALID', detail);
  }
}

/** 400: a NUL, or a control character but tab, CR and LF. */
export class FileNotText extends Problem {
  static readonly sample = (): Problem => new FileNotText(3);

  /** @param line The physical line, from 1. */
  constructor(line: number) {
    super(400, 'BILLING.FILE_NOT_TEXT', `line ${line} has a control character, so the file is no text`);
  }
}

/** 400: more refused lines than an import keeps. */
export class TooManyRejects extends Problem {
  static readonly sample = (): Problem => new TooManyRejects(2_000_000);

  constructor(most: number) {
    super(400, 'BILLING.TOO_MANY_REJECTS', `over ${most} lines of the file are no debts, so it is no file of debts`);
  }
}

/** 413: a file over the limit, which the detail names. */
export class FileTooLarge extends Problem {
  static readonly sample = (): Problem => new FileTooLarge(9);

  constructor(limitMib: number) {
    super(413, 'BILLING.FILE_TOO_LARGE', `the file is over the limit of ${limitMib} MiB`);
  }
}
