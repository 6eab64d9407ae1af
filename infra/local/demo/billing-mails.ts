import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXIT } from '@disparo/contract';
import { type ParsedMail, simpleParser } from 'mailparser';
import { CommandError } from '../../../services/command-error.js';
import { colour, say } from '../supervise/terminal.js';
import type { Debt } from './billing-client.js';

const SHOWN_MAILS = 3;

/** A mail that was caught, as the npm package mailparser reads it. */
interface CaughtMail {
  path: string;
  to: string;
  subject: string;
  /** Names of the attached PDFs. */
  pdfs: string[];
}

/** `<txid.number.company_no@domain>`: the first part names the debt. */
const MESSAGE_ID = /^<([0-9A-Z]{25})\.\d+\.\d+@[^<>@]+>$/;
const PDF = '%PDF-';
/** Of the debtId, in the name of its PDF. */
const TAIL = 8;

/** Compares the mails of a folder with these debts, the first of `all`, and prints where some are. Throws CommandError. */
export async function reportMails(folder: string, debts: readonly Debt[], all: number): Promise<void> {
  const mails = await mailsOf(folder, debts);
  const few = `one for each of the first ${debts.length.toLocaleString('en')} debts`;
  const each = debts.length < all ? few : 'one for each debt';
  say(`\n${colour('bold', `E-mails in ${folder}`)}: ${each}, to its address, with its boleto attached`);
  for (const { path, to, subject, pdfs } of mails.slice(0, SHOWN_MAILS))
    say(`  ${path}\n    to ${to}: ${colour('cyan', subject)}, ${pdfs.join()}`);
  say('They were caught here and went nowhere. A mail program opens them, as Thunderbird or Outlook does');
}

/**
 * The mails of a folder that are of these debts, in their order. Throws CommandError unless each debt has exactly one, to its
 * address alone and with its boleto. Nothing here is made by the code that sends.
 */
async function mailsOf(folder: string, debts: readonly Debt[]): Promise<CaughtMail[]> {
  const byTxid = new Map<string, CaughtMail[]>();
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.eml'))) {
    const path = join(folder, name);
    const mail = await simpleParser(await readFile(path));
    const [, txid] = MESSAGE_ID.exec(mail.messageId ?? '') ?? [];
    if (txid === undefined) throw wrong(`${path} has the Message-ID ${mail.messageId}`);
    byTxid.set(txid, [...(byTxid.get(txid) ?? []), caught(path, mail)]);
  }
  return debts.map((debt) => onlyOne(debt, byTxid.get(debt.txid) ?? []));
}

function caught(path: string, mail: ParsedMail): CaughtMail {
  const to = [mail.to ?? []].flat().flatMap(({ value }) => value.map(({ address }) => address ?? ''));
  const pdfs = mail.attachments.filter(({ content }) => content.subarray(0, PDF.length).toString() === PDF);
  return { path, to: to.join(', '), subject: mail.subject ?? '', pdfs: pdfs.map(({ filename }) => filename ?? '') };
}

function onlyOne({ debt_id, email }: Debt, mails: readonly CaughtMail[]): CaughtMail {
  const [mail] = mails;
  if (mail === undefined || mails.length > 1) throw wrong(`${debt_id} has ${mails.length} mails`);
  if (mail.to !== email) throw wrong(`the mail of ${debt_id} is to ${mail.to}, and not to ${email}`);
  const pdf = `boleto-${debt_id.slice(-TAIL)}.pdf`;
  if (mail.pdfs.join() !== pdf)
    throw wrong(`the mail of ${debt_id} has ${mail.pdfs.join() || 'no PDF'}, and not ${pdf}`);
  return mail;
}

function wrong(what: string): CommandError {
  return new CommandError(what, EXIT.bug);
}
