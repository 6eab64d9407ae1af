import { BANK, bankWithCheck, formattedLineOf, WALLET } from '../codes/boleto.js';
import type { BoletoView } from './boleto-view.js';
import { Page, type Style } from './pdf-page.js';
import { BARCODE_MM, barcodeShape, qrShape } from './symbols.js';
import { dayOf, documentLabelOf, reaisOf } from './written.js';

const BANK_NAME = 'Banco Simulado';
const AGENCY = '0001';
const LEFT = 12;
const WIDTH = 186;
/** The right-hand column of a boleto, with due date and amount. */
const COLUMN = 46;
const MAIN = WIDTH - COLUMN;
const RIGHT = LEFT + MAIN;
const ROW = 8.4;
const RECEIPT_TOP = 20;
const SLIP_TOP = 153;
const CUT_AT = 145;
const QR_MM = 46;
/** Right of the QR code, over which nothing may be drawn. */
const PIX_LEFT = LEFT + QR_MM + 8;
const WATERMARK = '#dddddd';
/** A point of a font, from its top to the line it stands on, in millimetres. */
const ASCENT_MM = 0.27;
const STRONG = { bold: true, size: 10, align: 'right' } as const;

/** A boleto on one page of A4 (PDF): the receipt with the Pix code on top, the slip for the bank below. */
export function boletoPdf(boleto: BoletoView): Promise<Buffer> {
  const page = new Page(`Boleto ${boleto.debtId}`, new Date(`${boleto.issuedOn}T12:00:00Z`));
  const words = wordsOf(boleto);
  shadeOf(page);
  noticeOf(page, boleto.notice);
  receipt(page, boleto, words);
  page.text({ x: LEFT, y: CUT_AT - 3.4, width: WIDTH, height: 3 }, 'Corte na linha pontilhada', {
    size: 6,
    align: 'right',
  });
  page.line([LEFT, CUT_AT], [LEFT + WIDTH, CUT_AT], 0.7, 1);
  slip(page, boleto, words);
  return page.end();
}

/** The values of a boleto as they are printed. */
function wordsOf({ agreement, ourNumber, cents, dueOn, issuedOn, beneficiaryDocument, governmentId }: BoletoView) {
  return {
    account: `${AGENCY} / ${String(agreement).padStart(6, '0')}`,
    number: `${WALLET} / ${String(ourNumber).padStart(17, '0')}`,
    amount: reaisOf(cents),
    due: dayOf(dueOn),
    issued: dayOf(issuedOn),
    company: documentLabelOf(beneficiaryDocument),
    debtor: documentLabelOf(governmentId),
  };
}
type Words = ReturnType<typeof wordsOf>;

/** The grey cells of due date and amount. They come first, since all that comes later covers them. */
function shadeOf(page: Page): void {
  page.shade({ x: RIGHT - COLUMN, y: RECEIPT_TOP + 10 + 2 * ROW, width: 2 * COLUMN, height: ROW });
  page.shade({ x: RIGHT, y: SLIP_TOP + 10, width: COLUMN, height: ROW });
  page.shade({ x: RIGHT, y: SLIP_TOP + 10 + 3 * ROW, width: COLUMN, height: ROW });
}

function noticeOf(page: Page, notice: string | undefined): void {
  if (notice === undefined) return;
  page.text({ x: LEFT, y: 10.5, width: WIDTH, height: 5 }, notice, { bold: true, size: 10, align: 'center' });
  page.watermark({ x: PIX_LEFT, y: 55, width: LEFT + WIDTH - PIX_LEFT, height: 60 }, notice, WATERMARK);
  page.watermark({ x: LEFT, y: SLIP_TOP + 8, width: WIDTH, height: 88 }, notice, WATERMARK);
}

/** The bank's name and number, and to their right what this part of the page is. All stand on one line. */
function head(page: Page, y: number, title: string, size: number): void {
  const base = y + 8;
  const top = (points: number) => base - points * ASCENT_MM;
  page.text({ x: LEFT - 1.2, y: top(12), width: 40, height: 6 }, BANK_NAME, { bold: true, size: 12 });
  for (const x of [LEFT + 40, LEFT + 62]) page.line([x, y + 1.5], [x, y + 10], 1.4);
  const number = { x: LEFT + 40, y: top(17), width: 22, height: 7 };
  page.text(number, bankWithCheck(BANK), { bold: true, size: 17, align: 'center' });
  const rest = { x: LEFT + 63, y: top(size), width: WIDTH - 61.8, height: 6 };
  page.text(rest, title, { bold: true, size, align: 'right' });
  page.line([LEFT, y + 10], [LEFT + WIDTH, y + 10], 1.4);
}

/** Cells side by side, each as wide as it says. */
function row(page: Page, y: number, cells: readonly [width: number, label: string, value: string, style?: Style][]) {
  let x = LEFT;
  for (const [width, label, value, style] of cells) {
    page.field({ x, y, width, height: ROW }, label, value, style);
    x += width;
  }
}

function receipt(page: Page, boleto: BoletoView, words: Words): void {
  head(page, RECEIPT_TOP, 'RECIBO DO PAGADOR', 11);
  const top = RECEIPT_TOP + 10;
  row(page, top, [
    [MAIN - COLUMN, 'Beneficiário', boleto.beneficiary],
    [COLUMN, 'CPF / CNPJ do beneficiário', words.company],
    [COLUMN, 'Agência / Código do beneficiário', words.account, { align: 'right' }],
  ]);
  row(page, top + ROW, [
    [MAIN - COLUMN, 'Pagador', boleto.name],
    [COLUMN, 'CPF / CNPJ do pagador', words.debtor],
    [COLUMN, 'Nosso número', words.number, { align: 'right' }],
  ]);
  row(page, top + 2 * ROW, [
    [30, 'Data do documento', words.issued],
    [MAIN - COLUMN - 30, 'Número do documento', boleto.debtId],
    [COLUMN, 'Vencimento', words.due, STRONG],
    [COLUMN, 'Valor do documento', words.amount, STRONG],
  ]);
  pix(page, boleto, words, top + 3 * ROW + 4);
  const line = { x: LEFT, y: top + 3 * ROW + QR_MM + 14, width: WIDTH, height: ROW + 1 };
  page.field(line, 'Linha digitável, para pagar pelo código de barras', formattedLineOf(boleto.line), {
    ...{ bold: true, size: 12, align: 'center' },
  });
  page.text({ ...line, y: line.y + ROW + 2 }, 'Autenticação mecânica', { size: 6.5, align: 'right' });
}

function pix(page: Page, { brCode }: BoletoView, words: Words, y: number): void {
  const x = PIX_LEFT;
  const width = LEFT + WIDTH - x;
  page.symbol({ x: LEFT + 3, y: y + 3, width: QR_MM, height: QR_MM }, qrShape(brCode), 3);
  page.text({ x, y: y + 3, width, height: 6 }, 'Pague com Pix', { bold: true, size: 14 });
  const steps = [
    'Abra o aplicativo do seu banco e escolha pagar com Pix.',
    'Leia o QR Code ao lado, ou copie e cole o código abaixo.',
    `Confira o beneficiário e o valor: ${words.amount}.`,
    'Pague uma única vez: por Pix ou pelo código de barras.',
  ];
  for (const [at, step] of steps.entries())
    page.text({ x, y: y + 10.5 + at * 4.6, width, height: 4 }, `${at + 1}.  ${step}`, { size: 9 });
  page.text({ x, y: y + 31, width, height: 3 }, 'Pix copia e cola', { bold: true, size: 8 });
  page.block({ x, y: y + 35, width }, brCode, 8);
}

function slip(page: Page, boleto: BoletoView, words: Words): void {
  head(page, SLIP_TOP, formattedLineOf(boleto.line), 12);
  const top = SLIP_TOP + 10;
  row(page, top, [
    [MAIN, 'Local de pagamento', 'Pagável em qualquer banco'],
    [COLUMN, 'Vencimento', words.due, STRONG],
  ]);
  row(page, top + ROW, [
    [MAIN - COLUMN, 'Beneficiário', boleto.beneficiary],
    [COLUMN, 'CPF / CNPJ do beneficiário', words.company],
    [COLUMN, 'Agência / Código do beneficiário', words.account, { align: 'right' }],
  ]);
  row(page, top + 2 * ROW, [
    [24, 'Data do documento', words.issued],
    [58, 'Número do documento', boleto.debtId],
    [18, 'Espécie doc.', 'DM'],
    [14, 'Aceite', 'N'],
    [MAIN - 114, 'Processamento', words.issued],
    [COLUMN, 'Nosso número', words.number, { align: 'right' }],
  ]);
  row(page, top + 3 * ROW, [
    [24, 'Uso do banco', ''],
    [20, 'Carteira', WALLET],
    [20, 'Espécie', 'R$'],
    [32, 'Quantidade', ''],
    [MAIN - 96, 'Valor', ''],
    [COLUMN, '(=) Valor do documento', words.amount, STRONG],
  ]);
  instructions(page, boleto, top + 4 * ROW);
  debtor(page, boleto, words, top + 8 * ROW);
}

function instructions(page: Page, { notice, debtId }: BoletoView, y: number): void {
  const box = { x: LEFT, y, width: MAIN, height: 4 * ROW };
  page.field(box, 'Instruções (texto de responsabilidade do beneficiário)', '');
  const lines = ['Pague uma única vez: por este código de barras ou pelo Pix do recibo.', `Cobrança ${debtId}`];
  for (const [at, line] of [...lines, ...(notice === undefined ? [] : [notice])].entries())
    page.text({ ...box, y: y + 6 + at * 4.6, height: 4 }, line, { bold: line === notice });
  const sums = ['(-) Desconto / Abatimento', '(-) Outras deduções', '(+) Mora / Multa', '(=) Valor cobrado'];
  for (const [at, label] of sums.entries())
    page.field({ x: RIGHT, y: y + at * ROW, width: COLUMN, height: ROW }, label, '');
}

function debtor(page: Page, boleto: BoletoView, words: Words, y: number): void {
  page.field({ x: LEFT, y, width: WIDTH, height: 2 * ROW }, 'Pagador', '');
  page.text({ x: LEFT, y: y + 3.8, width: WIDTH, height: 4 }, boleto.name);
  page.text({ x: LEFT, y: y + 8, width: WIDTH, height: 4 }, words.debtor);
  page.text(
    { x: LEFT, y: y + 12.6, width: WIDTH, height: 3 },
    `Beneficiário final: ${boleto.beneficiary}, ${boleto.city}`,
    {
      size: 6,
    },
  );
  const bottom = y + 2 * ROW;
  page.text({ x: LEFT, y: bottom + 1, width: WIDTH, height: 3 }, 'Autenticação mecânica - FICHA DE COMPENSAÇÃO', {
    ...{ size: 6.5, align: 'right' },
  });
  page.symbol({ x: LEFT + 5, y: bottom + 4, ...BARCODE_MM }, barcodeShape(boleto.barcode), 1.5);
}
