import { createHash } from 'node:crypto';
import MailComposer from 'nodemailer/lib/mail-composer';
import { txidOf } from '../issue/codes/txid.js';
import type { BoletoView } from '../issue/document/boleto-view.js';
import { boletoPdf } from '../issue/document/pdf.js';
import { dayOf, reaisOf } from '../issue/document/written.js';
import { htmlOf, textOf } from './message-body.js';
import type { Mail } from './smtp/smtp.js';

/** What a mail is made of. None of it changes between the attempts of a delivery, so the mail does not either. */
export interface InvoiceMail {
  boleto: BoletoView;
  /** The debtor's address. */
  to: string;
  /** The name is that of the invoice's settings, the address is SMTP_FROM. */
  sender: { name: string; address: string };
  /** Of the delivery. */
  number: number;
  companyNo: number;
  /** Of the delivery: when it was first owed. */
  messageDate: Date;
}

/** What addresses of imports and SMTP_FROM are: atext and dots, and a domain of letters, digits and hyphens. */
const ADDRESS = /^[0-9A-Za-z.!#$%&'*+/=?^_`{|}~-]{1,64}@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+$/;
const MOST_ADDRESS = 254;
const BREAK = /[\r\n\0]/;
/** Control characters that are left, and what readers take for the end of a line. */
const UNSEEN = /[\p{Cc}\u2028\u2029]+/gu;
/** Marks that turn the direction of what follows: with them an address could be read backwards. */
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** A program that decodes words of RFC 2047 wherever it finds them would show another name. */
const ENCODED = /=(?=\?)/g;

/**
 * A delivery as the bytes of one mail, the same at each attempt: a server that has seen its Message-ID knows it again. Rejects
 * where this mail cannot be made, and then it is this mail's alone; the error names nobody.
 */
export async function mailOf(invoice: InvoiceMail): Promise<Mail> {
  const { to, sender, messageDate } = invoice;
  const boleto = {
    ...invoice.boleto,
    name: plain(invoice.boleto.name),
    beneficiary: plain(invoice.boleto.beneficiary),
  };
  const names = { sender: plain(sender.name), file: `boleto-${boleto.debtId.slice(-8)}.pdf` };
  const messageId = messageIdOf(invoice);
  const composer = new MailComposer({
    from: { name: headerName(names.sender), address: addressOf(sender.address) },
    to: { name: headerName(boleto.name), address: addressOf(to) },
    subject: subjectOf(boleto),
    messageId,
    date: messageDate,
    headers: { 'Auto-Submitted': 'auto-generated' },
    text: textOf(boleto, names),
    html: htmlOf(boleto, names),
    attachments: [{ filename: names.file, contentType: 'application/pdf', content: await boletoPdf(invoice.boleto) }],
    ...FIXED,
    baseBoundary: createHash('sha256').update(messageId).digest('hex').slice(0, 32),
  });
  return { from: sender.address, to, bytes: await composer.compile().build() };
}

/** Two companies may have one debtId, so their number is part of it. */
export function messageIdOf({ boleto, number, companyNo, sender }: InvoiceMail): string {
  const domain = sender.address.slice(sender.address.lastIndexOf('@') + 1).toLowerCase();
  return `<${txidOf(boleto.debtId)}.${number}.${companyNo}@${domain}>`;
}

const FIXED = {
  encoding: 'quoted-printable',
  // guard: no line of an encoded text begins like this, whatever a name holds, so that no name ends a part (RFC 2045, 6.7)
  boundaryPrefix: '=_',
  disableFileAccess: true,
  disableUrlAccess: true,
} as const;

function subjectOf({ cents, dueOn, notice }: BoletoView): string {
  const subject = `Boleto de ${reaisOf(cents)} com vencimento em ${dayOf(dueOn)}`;
  return notice === undefined ? subject : `${subject} (${notice})`;
}

/** A name on one line. Throws where it has a line break: a value that was checked at the door cannot have one. */
function plain(name: string): string {
  if (BREAK.test(name)) throw new RangeError('a name in a mail has no line break');
  return name.replace(UNSEEN, ' ').replace(TURNS, '').trim();
}

function headerName(name: string): string {
  return name.replace(ENCODED, '= ');
}

function addressOf(address: string): string {
  if (address.length > MOST_ADDRESS || !ADDRESS.test(address)) throw new RangeError('no mail is sent to this address');
  return address;
}
