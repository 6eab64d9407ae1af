import { formattedLineOf } from '../issue/codes/boleto.js';
import type { BoletoView } from '../issue/document/boleto-view.js';
import { dayOf, documentLabelOf, reaisOf } from '../issue/document/written.js';

/** Who a mail is from, for people, and what its attachment is called. */
interface MailNames {
  sender: string;
  file: string;
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const ONCE = 'Pague uma única vez: por Pix ou pelo código de barras.';
const CHECK = 'Antes de pagar, confira o beneficiário e o valor. Se você já pagou, desconsidere esta mensagem.';

/** What a mail says, as plain text. */
export function textOf(boleto: BoletoView, names: MailNames): string {
  const { amount, due, document, line } = wordsOf(boleto);
  const lines = [
    ...(boleto.notice === undefined ? [] : [boleto.notice, '']),
    `Olá, ${boleto.name}.`,
    '',
    introOf(names),
    '',
    `Valor: ${amount}`,
    `Vencimento: ${due}`,
    `Beneficiário: ${boleto.beneficiary}`,
    `${document.kind}: ${document.number}`,
    '',
    'Pix copia e cola:',
    boleto.brCode,
    '',
    'Linha digitável:',
    line,
    '',
    ONCE,
    CHECK,
    '',
    closingOf(boleto),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

/** The same as HTML: no image, no link, nothing that is loaded. Styles stand in the tags, since mail programs drop others. */
export function htmlOf(boleto: BoletoView, names: MailNames): string {
  const body = [
    ...(boleto.notice === undefined ? [] : [paragraph(STYLE.notice, escaped(boleto.notice))]),
    paragraph(STYLE.text, `Olá, ${isolated(boleto.name)}.`),
    paragraph(STYLE.text, introOf({ sender: isolated(names.sender), file: names.file })),
    tableOf(boleto),
    heading('Pix copia e cola'),
    paragraph(`${STYLE.code};word-break:break-all`, escaped(boleto.brCode)),
    heading('Linha digitável'),
    paragraph(STYLE.code, escaped(wordsOf(boleto).line)),
    paragraph(STYLE.text, `<strong>${ONCE}</strong> ${CHECK}`),
    paragraph(STYLE.small, escaped(closingOf(boleto))),
  ];
  return `${[...HEAD, `<body style="${STYLE.page}">`, `<div style="${STYLE.card}">`, ...body, ...END].join('\r\n')}\r\n`;
}

const HEAD = [
  '<!DOCTYPE html>',
  '<html lang="pt-BR">',
  '<head>',
  '<meta charset="utf-8">',
  '<meta name="viewport" content="width=device-width, initial-scale=1">',
  // Else a telephone makes links of digits.
  '<meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">',
  '<meta name="color-scheme" content="light">',
  '<title>Boleto</title>',
  '</head>',
];
const END = ['</div>', '</body>', '</html>'];
const INK = 'color:#1c2430';
/** Every pair of colours has a contrast of 7 to 1 or more. */
const STYLE = {
  page: `margin:0;padding:16px;background:#eef1f5;${INK};font-family:Arial,Helvetica,sans-serif`,
  card: 'max-width:560px;margin:0 auto;padding:24px;background:#ffffff;border:1px solid #d5dbe3;border-radius:8px',
  notice:
    'margin:0 0 20px;padding:12px;background:#fff3c4;color:#4a3500;font-size:15px;font-weight:bold;text-align:center',
  text: `margin:0 0 16px;font-size:16px;line-height:1.5;${INK};overflow-wrap:anywhere`,
  table: 'width:100%;margin:0 0 20px;border-collapse:collapse;font-size:16px',
  name: 'padding:9px 12px 9px 0;border-bottom:1px solid #d5dbe3;color:#475061;font-weight:normal;text-align:left;vertical-align:top',
  value: `padding:9px 0;border-bottom:1px solid #d5dbe3;${INK};font-weight:bold;text-align:right;overflow-wrap:anywhere`,
  heading: `margin:0 0 6px;font-size:14px;${INK}`,
  code: `margin:0 0 20px;padding:12px;background:#f3f5f8;${INK};font-family:Consolas,Menlo,monospace;font-size:14px;line-height:1.5`,
  small: 'margin:0;font-size:13px;line-height:1.5;color:#475061',
};

function tableOf(boleto: BoletoView): string {
  const { amount, due, document } = wordsOf(boleto);
  const rows = [
    ['Valor', amount],
    ['Vencimento', due],
    ['Beneficiário', boleto.beneficiary],
    [document.kind, document.number],
  ] as const;
  const cells = rows.map(
    ([name, value]) =>
      `<tr><th scope="row" style="${STYLE.name}">${name}</th>\r\n<td style="${STYLE.value}">${isolated(value)}</td></tr>`,
  );
  return `<table style="${STYLE.table}">\r\n${cells.join('\r\n')}\r\n</table>`;
}

function heading(html: string): string {
  return `<h2 style="${STYLE.heading}">${html}</h2>`;
}

function paragraph(style: string, html: string): string {
  return `<p style="${style}">${html}</p>`;
}

/** A name of any script, whose direction does not reach what stands around it. */
function isolated(text: string): string {
  return `<bdi>${escaped(text)}</bdi>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (each) => ESCAPES[each] ?? '');
}

function introOf({ sender, file }: MailNames): string {
  return `${sender} enviou um boleto para você. Ele está no anexo ${file}, e pode ser pago também pelos códigos abaixo.`;
}

function closingOf({ debtId }: BoletoView): string {
  return `Mensagem automática. Cobrança ${debtId}.`;
}

function wordsOf({ cents, dueOn, beneficiaryDocument, line }: BoletoView) {
  const [kind = '', number = ''] = documentLabelOf(beneficiaryDocument).split(' ', 2);
  return { amount: reaisOf(cents), due: dayOf(dueOn), document: { kind, number }, line: formattedLineOf(line) };
}
