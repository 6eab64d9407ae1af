import fc from 'fast-check';
import PDFDocument from 'pdfkit';
import { describe, expect, test } from 'vitest';
import type { BoletoView } from '../../billing/issue/document/boleto-view.js';
import { boletoPdf } from '../../billing/issue/document/pdf.js';
import { barcodeSvg, qrSvg } from '../../billing/issue/document/symbols.js';
import { type Rectangle, readPage, structureOf, type Text } from './pdf-reader.js';
import { readBarcode, readQr } from './symbol-readers.js';

// The first line of the vectors: the example of the challenge.
const BARCODE = '99991913601000000001700000100000000000000001';
const LINE = '99991.70005 00100.000009 00000.000018 1 91360100000000';
const BR_CODE =
  '00020126360014br.gov.bcb.pix01141234567800019552040000530398654101000000.005802BR5916EMPRESA FICTICIA6009SAO PAULO622905251L8ND9OX4A0AYZM0RC57275ZJ63043501';
const NOTICE = 'EXEMPLO, SEM VALOR DE PAGAMENTO';
const BOLETO: BoletoView = {
  ...{ beneficiary: 'EMPRESA FICTICIA', beneficiaryDocument: '12345678000195', city: 'SAO PAULO', agreement: 1 },
  ...{ ourNumber: 1n, debtId: '1adb6ccf-ff16-467f-bea7-5f05d494280f' },
  ...{ name: 'Fulana de Tal', governmentId: '11111111111', cents: 100_000_000 },
  ...{ dueOn: '2022-10-12', issuedOn: '2022-09-01', barcode: BARCODE, line: LINE.replace(/\D/g, '') },
  ...{ brCode: BR_CODE, notice: NOTICE },
};
const A4 = { width: 210, height: 297 };
/** Points of a PDF are written with six decimals. */
const PRECISION_MM = 0.001;

const read = async (more: Partial<BoletoView> = {}) => readPage(await boletoPdf({ ...BOLETO, ...more }));
const isBar = ({ height }: Rectangle) => Math.abs(height - 13) < PRECISION_MM;
const isLevel = ({ degrees }: Text) => degrees === 0;

/** The values of the cells with a label, in the order in which they are drawn. */
function valuesOf(texts: readonly Text[], label: string): (string | undefined)[] {
  return texts.flatMap((each, index) => (each.text === label ? [texts[index + 1]?.text] : []));
}

describe('the PDF of a boleto', () => {
  test('has a barcode of 103 by 13 mm that reads as its 44 digits', async () => {
    const bars = (await read()).black.filter(isBar);
    expect(readBarcode(bars)).toBe(BARCODE);
    const [first, last] = [bars.at(0), bars.at(-1)] as [Rectangle, Rectangle];
    expect(last.x + last.width - first.x).toBeCloseTo(103, 3);
  });

  test('has a QR code that reads as the Pix code', async () => {
    expect(readQr((await read()).black, A4, 6)).toBe(BR_CODE);
  });

  test('has nothing drawn within 5 mm of its bars', async () => {
    const { black, texts, frames } = await read();
    const bars = black.filter(isBar);
    const [left, right] = [Math.min(...bars.map(({ x }) => x)), Math.max(...bars.map(({ x, width }) => x + width))];
    const top = bars[0]?.y ?? 0;
    const near = ({ x, y }: { x: number; y: number }) => x > left - 5 && x < right + 5 && y > top && y < top + 13;
    expect([...texts.filter(near), ...frames.filter(near)]).toEqual([]);
  });

  test.each([
    ['Beneficiário', ['EMPRESA FICTICIA', 'EMPRESA FICTICIA']],
    ['CPF / CNPJ do beneficiário', ['CNPJ 12.345.678/0001-95', 'CNPJ 12.345.678/0001-95']],
    ['Agência / Código do beneficiário', ['0001 / 000001', '0001 / 000001']],
    ['Pagador', ['Fulana de Tal', 'Fulana de Tal']],
    ['CPF / CNPJ do pagador', ['CPF 111.111.111-11']],
    ['Nosso número', ['17 / 00000000000000001', '17 / 00000000000000001']],
    ['Número do documento', [BOLETO.debtId, BOLETO.debtId]],
    ['Vencimento', ['12/10/2022', '12/10/2022']],
    ['Data do documento', ['01/09/2022', '01/09/2022']],
    ['Valor do documento', ['R$ 1.000.000,00']],
    ['(=) Valor do documento', ['R$ 1.000.000,00']],
  ])('says %s: %j', async (label, values) => {
    const { texts } = await read();
    expect(valuesOf(texts, label).filter((each) => each !== '')).toEqual(values);
  });

  test('has the line to type twice, and the bank with its check digit', async () => {
    const { texts } = await read();
    const all = texts.map(({ text }) => text);
    expect(all.filter((text) => text === LINE)).toHaveLength(2);
    expect(all.filter((text) => text === '999-7')).toHaveLength(2);
  });

  test.each([BR_CODE, BR_CODE.replace('EMPRESA FICTICIA', 'A B'.repeat(20)), ` ${'AB C'.repeat(60)}`.trim()])(
    'has the Pix code as text, with no blank at the end of a line, where a copy loses it: %s',
    async (brCode) => {
      const { texts } = await read({ brCode });
      const start = texts.findIndex(({ text }) => text === 'Pix copia e cola') + 1;
      const end = texts.findIndex(({ text }) => text.startsWith('Linha digitável'));
      const lines = texts.slice(start, end).map(({ text }) => text);
      expect(lines.join('')).toBe(brCode);
      expect(lines.filter((line) => line !== line.trim())).toEqual([]);
    },
  );

  test('says across both halves that it is an example, and nothing of it once a bank is real', async () => {
    const across = ({ texts }: { texts: Text[] }) => texts.filter((each) => each.degrees > 0).map(({ text }) => text);
    const real = await read({ notice: undefined });
    expect(across(await read())).toEqual([NOTICE, NOTICE]);
    expect(real.texts.filter((each) => !isLevel(each) || each.text.includes('EXEMPLO'))).toEqual([]);
  });

  test.each([
    ['José da Conceição', 'José da Conceição'],
    ['Ελένη 😀', '????? ?'],
    ['Łukasz Ő', '?ukasz O'],
  ])('writes the name %s as %s', async (name, written) => {
    expect(valuesOf((await read({ name })).texts, 'CPF / CNPJ do pagador')).toEqual(['CPF 111.111.111-11']);
    expect((await read({ name })).texts.filter(({ text }) => text === written)).toHaveLength(2);
  });

  test('a name too long for its cell ends in an ellipsis', async () => {
    const { texts } = await read({ name: 'Maria da Conceição '.repeat(11).trim() });
    const names = texts.filter(({ text }) => text.startsWith('Maria da Conceição'));
    expect(names.map(({ text }) => text.at(-1))).toEqual(['…', '…']);
  });

  test('no text leaves its cell, whatever the names are', { timeout: 30_000 }, async () => {
    const names = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 });
    const largest = { cents: 9_999_999_999, agreement: 999_999, ourNumber: 99_999_999_999_999_999n };
    const check = async (name: string, beneficiary: string, city: string, governmentId: string) => {
      const { texts, frames } = await read({ ...largest, name, beneficiary, city, governmentId });
      expect(texts.filter(isLevel).filter((each) => !isInside(each, frames))).toEqual([]);
    };
    const wide = 'W'.repeat(200);
    await check(wide, wide, wide, 'ABCDEFGHIJKL99');
    await fc.assert(fc.asyncProperty(names, names, names, fc.string({ minLength: 1, maxLength: 14 }), check), {
      numRuns: 25,
    });
  });

  test('is the same bytes for the same boleto, and names its day of issue', async () => {
    const [first, second] = [await boletoPdf(BOLETO), await boletoPdf({ ...BOLETO })];
    expect(first.equals(second)).toBe(true);
    expect(structureOf(first)).toContain('(D:20220901120000Z)');
  });

  test('has no script, and nothing of the debtor next to its page', async () => {
    const structure = structureOf(await boletoPdf(BOLETO));
    expect(structure).not.toMatch(/JavaScript|\/JS|OpenAction|\/AA|\/URI|Fulana|11111111111|111\.111/);
    expect([...structure.matchAll(/^\((.*)\)$/gm)].map(([, text]) => text)).toEqual([
      ...['PDFKit', 'Disparo', 'D:20220901120000Z', `Boleto ${BOLETO.debtId}`],
    ]);
  });
});

/** Measured with the fonts of pdfkit: the page itself is not asked. */
function isInside({ text, x, y, font, size }: Text, frames: readonly Rectangle[]): boolean {
  const measure = new PDFDocument().font(font === 'F1' ? 'Helvetica' : 'Helvetica-Bold').fontSize(size);
  const right = x + measure.widthOfString(text) * (25.4 / 72);
  const around = frames.filter((it) => it.x <= x && x <= it.x + it.width && it.y <= y && y <= it.y + it.height);
  const edge = Math.min(198, ...around.map((it) => it.x + it.width));
  return x >= 12 - PRECISION_MM && right <= edge + PRECISION_MM && y < 297;
}

describe('an SVG', () => {
  const rectangles = (svg: string): Rectangle[] =>
    [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"\/>/g)].map((match) => {
      const [x = 0, y = 0, width = 0, height = 0] = match.slice(1).map(Number);
      return { x, y, width, height };
    });
  const sizeOf = (svg: string) => {
    const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? [];
    return { width: Number(width), height: Number(height) };
  };

  test('of a barcode reads as its digits, in 13 mm and with a quiet zone', () => {
    const svg = barcodeSvg(BARCODE);
    const bars = rectangles(svg);
    expect(readBarcode(bars)).toBe(BARCODE);
    expect(svg).toContain(' width="113.173mm" height="13mm"');
    expect([bars[0]?.x, sizeOf(svg).width - 20 - 405]).toEqual([20, 20]);
  });

  test('of a Pix code reads as its text', () => {
    const svg = qrSvg(BR_CODE);
    expect(readQr(rectangles(svg), sizeOf(svg), 4)).toBe(BR_CODE);
  });

  test('reads the same above a notice, which it writes as text', () => {
    const [barcode, qr] = [barcodeSvg(BARCODE, 'A < B & C'), qrSvg(BR_CODE, NOTICE)];
    expect(barcode).toMatch(/>A &lt; B &amp; C<\/text><\/svg>$/);
    expect(qr).toMatch(new RegExp(`>${NOTICE}</text></svg>$`));
    expect(readBarcode(rectangles(barcode))).toBe(BARCODE);
    expect(readQr(rectangles(qr), sizeOf(qr), 4)).toBe(BR_CODE);
  });

  test('of every barcode and every Pix code reads as what it stands for', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 44, maxLength: 44 });
    const texts = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(digits, (barcode) => {
        expect(readBarcode(rectangles(barcodeSvg(barcode)))).toBe(barcode);
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const svg = qrSvg(text);
        expect(readQr(rectangles(svg), sizeOf(svg), 4)).toBe(text);
      }),
      { numRuns: 20 },
    );
  });
});
