import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { type ParsedMail, simpleParser } from 'mailparser';
import { describe, expect, test } from 'vitest';
import type { BoletoView } from '../../billing/issue/document/boleto-view.js';
import { boletoPdf } from '../../billing/issue/document/pdf.js';
import { type InvoiceMail, mailOf, messageIdOf } from '../../billing/send/message.js';
import { readPage } from './pdf-reader.js';
import { readBarcode, readQr } from './symbol-readers.js';

// The first line of the vectors: the example of the challenge.
const BARCODE = '99991913601000000001700000100000000000000001';
const LINE = '99991.70005 00100.000009 00000.000018 1 91360100000000';
const BR_CODE =
  '00020126360014br.gov.bcb.pix01141234567800019552040000530398654101000000.005802BR5916EMPRESA FICTICIA6009SAO PAULO622905251L8ND9OX4A0AYZM0RC57275ZJ63043501';
const TXID = '1L8ND9OX4A0AYZM0RC57275ZJ';
const NOTICE = 'EXEMPLO, SEM VALOR DE PAGAMENTO';
const BOLETO: BoletoView = {
  ...{ beneficiary: 'EMPRESA FICTICIA', beneficiaryDocument: '12345678000195', city: 'SAO PAULO', agreement: 1 },
  ...{ ourNumber: 1n, debtId: '1adb6ccf-ff16-467f-bea7-5f05d494280f' },
  ...{ name: 'Fulana de Tal', governmentId: '11111111111', cents: 100_000_000 },
  ...{ dueOn: '2022-10-12', issuedOn: '2022-09-01', barcode: BARCODE, line: LINE.replace(/\D/g, '') },
  ...{ brCode: BR_CODE, notice: NOTICE },
};
const INVOICE: InvoiceMail = {
  ...{ boleto: BOLETO, to: 'fulana@example.com', number: 2, companyNo: 7 },
  sender: { name: 'Empresa Fictícia', address: 'cobranca@Example.com' },
  messageDate: new Date('2026-11-30T12:34:56.789Z'),
};

/** `name` is the debtor's, `sender` the company's. */
interface Names {
  name?: string;
  sender?: string;
}

const bytesOf = async ({ name = BOLETO.name, sender = INVOICE.sender.name }: Names = {}, more = {}) => {
  const boleto = { ...BOLETO, name, ...more };
  return (await mailOf({ ...INVOICE, boleto, sender: { ...INVOICE.sender, name: sender } })).bytes;
};
const parsed = async (names?: Names, more?: Partial<BoletoView>) => simpleParser(await bytesOf(names, more), NO_LINKS);
const NO_LINKS = { skipTextLinks: true };
const addressesOf = (of: ParsedMail['to']) => [of].flat().flatMap((each) => each?.value ?? []);
/** What a reader of HTML shows, by the HTML standard's escapes. */
const shownOf = (html: string) =>
  html
    .replace(/<(?:style|title)[\s\S]*?<\/(?:style|title)>/g, '')
    .replace(/<[^>]*>/g, '')
    .replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => SIGNS[name] ?? '');
const SIGNS: Record<string, string> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' };

describe('a mail', () => {
  test('is from the company and to the debtor, with the ID of its delivery', async () => {
    const { from, to, subject, messageId, date, headers, cc, bcc } = await parsed();
    expect(addressesOf(from)).toEqual([{ name: 'Empresa Fictícia', address: 'cobranca@example.com' }]);
    expect(addressesOf(to)).toEqual([{ name: 'Fulana de Tal', address: 'fulana@example.com' }]);
    expect({ subject, messageId, date, cc, bcc }).toEqual({
      subject: `Boleto de R$ 1.000.000,00 com vencimento em 12/10/2022 (${NOTICE})`,
      messageId: `<${TXID}.2.7@example.com>`,
      date: new Date('2026-11-30T12:34:56Z'),
      ...{ cc: undefined, bcc: undefined },
    });
    expect(headers.get('auto-submitted')).toBe('auto-generated');
    expect(messageIdOf(INVOICE)).toBe(messageId);
  });

  test('goes to one recipient, by the envelope too', async () => {
    const { from, to } = await mailOf(INVOICE);
    expect({ from, to }).toEqual({ from: 'cobranca@Example.com', to: 'fulana@example.com' });
  });

  test('says in text and in HTML who is paid, how much, when and by what', async () => {
    const { text = '', html } = await parsed();
    const values = ['Fulana de Tal', 'Empresa Fictícia', 'R$ 1.000.000,00', '12/10/2022', 'EMPRESA FICTICIA'];
    for (const value of [...values, '12.345.678/0001-95', BR_CODE, LINE, BOLETO.debtId, NOTICE])
      expect([text, shownOf(String(html))].map((each) => each.split(value).length > 1)).toEqual([true, true]);
    expect(text.split('\n')).toContain(BR_CODE);
    expect(text.split('\n')).toContain(LINE);
  });

  test('begins with the notice while the bank is simulated, and has none of it later', async () => {
    const { text = '', html } = await parsed();
    expect([text.startsWith(`${NOTICE}\n`), shownOf(String(html)).trim().startsWith(NOTICE)]).toEqual([true, true]);
    const real = await bytesOf({}, { notice: undefined });
    const { text: plain, html: shown, subject } = await simpleParser(real, NO_LINKS);
    expect(`${plain}${shown}${subject}`).not.toContain('EXEMPLO');
  });

  test('has the boleto attached, as the route gives it', async () => {
    const { attachments } = await parsed();
    expect(attachments.map(({ filename, contentType }) => [filename, contentType])).toEqual([
      ['boleto-d494280f.pdf', 'application/pdf'],
    ]);
    const content = attachments[0]?.content ?? Buffer.alloc(0);
    expect(content.equals(await boletoPdf(BOLETO))).toBe(true);
    const { black } = readPage(content);
    expect(readBarcode(black.filter(({ height }) => Math.abs(height - 13) < 0.001))).toBe(BARCODE);
    expect(readQr(black, { width: 210, height: 297 }, 6)).toBe(BR_CODE);
  });

  test('loads nothing, links to nothing and runs nothing', async () => {
    const { html } = await parsed({ name: '<img src=x onerror=alert(1)>' });
    const tags = [...String(html).matchAll(/<([a-z0-9]+)([^>]*)>/g)];
    expect([...new Set(tags.map(([, tag]) => tag))].sort()).toEqual(
      ['bdi', 'body', 'div', 'h2', 'head', 'html', 'meta', 'p', 'strong', 'table', 'td', 'th', 'title', 'tr'].sort(),
    );
    expect(tags.map(([, , rest]) => rest).join(' ')).not.toMatch(/url\(|src=|href=|\son\w+=|http:|https:/);
  });

  test('is ASCII in lines of CRLF, none over 998 bytes, none that an older server cuts', async () => {
    const bytes = await bytesOf({ name: 'ç'.repeat(200), sender: `"${'W'.repeat(199)}` });
    expect(bytes.every((byte) => byte < 0x80 && byte !== 0)).toBe(true);
    const text = bytes.toString('latin1');
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    expect(Math.max(...text.split('\r\n').map(({ length }) => length))).toBeLessThanOrEqual(998);
  });

  test('has parts that no name can end: their boundary stands in no encoded text', async () => {
    const text = (await bytesOf({ name: '----_NmP-Part_1--' })).toString('latin1');
    const boundaries = [...text.matchAll(/boundary="([^"]*)"/g)].map(([, boundary = '']) => boundary.slice(0, 2));
    const encodings = [...text.matchAll(/^Content-Transfer-Encoding: (.*)\r$/gm)].map(([, encoding]) => encoding);
    expect({ boundaries, encodings }).toEqual({
      boundaries: ['=_', '=_'],
      encodings: ['quoted-printable', 'quoted-printable', 'base64'],
    });
  });

  test('is the same bytes at each attempt, and others for another delivery', async () => {
    const hashOf = async (more: Partial<InvoiceMail> = {}) =>
      createHash('sha256')
        .update((await mailOf({ ...INVOICE, ...more })).bytes)
        .digest('hex');
    const first = await hashOf();
    expect(await hashOf({ boleto: { ...BOLETO } })).toBe(first);
    const others = [
      await hashOf({ number: 3 }),
      await hashOf({ companyNo: 8 }),
      await hashOf({ messageDate: new Date(0) }),
    ];
    expect(new Set([first, ...others]).size).toBe(4);
  });
});

describe('a name', () => {
  test.each([
    'Fulana "de" Tal',
    'Tal, Fulana de; (a) <b@example.com>',
    "<script>alert('x')</script> & Cia.",
    'back\\slash "',
    'José da Conceição',
    'Ελένη 😀👩‍👧',
    'محمد بن عبد الله',
    'x\u00a0y',
    '.',
    'a@example.com',
    'undisclosed-recipients:;',
    `${'W'.repeat(100)} ${'é'.repeat(99)}`,
    '😀'.repeat(200),
    '----_NmP-Part_1--',
    '=_-12659872ebcd2ce3563f0d6f89df0ef7-Part_1--',
  ])('is shown as it is: %s', async (name) => {
    const mail = await parsed({ name, sender: name });
    expect([addressesOf(mail.to), addressesOf(mail.from)]).toEqual([
      [{ name, address: 'fulana@example.com' }],
      [{ name, address: 'cobranca@example.com' }],
    ]);
    expect([mail.text, shownOf(String(mail.html))].map((each) => each?.includes(`Olá, ${name}.`))).toEqual([
      true,
      true,
    ]);
    expect(mail.attachments).toHaveLength(1);
  });

  test.each(['a\r\nBcc: b@example.com', 'a\nb', 'a\rb', 'a\0b'])(
    'with a line break makes no mail, and the error does not tell it: %j',
    async (name) => {
      await expect(bytesOf({ name })).rejects.toThrow('a name in a mail has no line break');
      await expect(bytesOf({ sender: name })).rejects.toThrow('a name in a mail has no line break');
    },
  );

  test('does not turn the direction of what follows, nor break its line', async () => {
    const name = 'a\u202eb\u2066c\u200fd\u2028e\u0085f';
    const mail = await parsed({ name, sender: name });
    expect(addressesOf(mail.to)).toEqual([{ name: 'abcd e f', address: 'fulana@example.com' }]);
    expect(`${mail.text}${mail.html}`).not.toMatch(/[\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\u0085]/);
  });

  test('that looks encoded is not decoded into another one', async () => {
    const name = 'x =?utf-8?B?QmFuY28gPGJAZXhhbXBsZS5jb20+?= y';
    const { to } = await parsed({ name });
    expect(addressesOf(to)).toEqual([{ name: name.replace('=?', '= ?'), address: 'fulana@example.com' }]);
  });

  test('of any kind makes a mail with the same parts, to the same address', async () => {
    const names = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }).map((name) => name.trim() || 'x');
    const wild = fc.string({
      unit: fc.constantFrom(...'<>"\\,;:@()[]=?_-. \'&ab\u00e9\u{1f600}'),
      minLength: 1,
      maxLength: 200,
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(names, wild), fc.oneof(names, wild), async (name, sender) => {
        const mail = await parsed({ name, sender });
        expect([...addressesOf(mail.to), ...addressesOf(mail.from)].map(({ address }) => address)).toEqual([
          ...['fulana@example.com', 'cobranca@example.com'],
        ]);
        expect(mail.attachments.map(({ filename }) => filename)).toEqual(['boleto-d494280f.pdf']);
        expect(mail.text).toContain(BR_CODE);
        const expected = name.replace(/[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g, '').trim();
        expect(mail.text).toContain(`Olá, ${expected}.`);
        expect(shownOf(String(mail.html))).toContain(`Olá, ${expected}.`);
      }),
      { numRuns: 60 },
    );
  }, 30_000);
});

test.each([
  '',
  'a',
  'a@b',
  'a b@example.com',
  'a@example.com,b@example.com',
  'é@example.com',
  'a@exämple.com',
  'a@example.com\r\nRCPT',
])('no mail goes to the address %j, and the error does not tell it', async (to) => {
  await expect(mailOf({ ...INVOICE, to })).rejects.toThrow(/^no mail is sent to this address$/);
});
