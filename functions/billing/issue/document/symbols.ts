import qrcode from 'qrcode-generator';

/** A dark rectangle, in modules: the narrowest bar of a barcode, a square of a QR code. */
export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** What is drawn of a symbol: its dark rectangles, and its size in modules without the quiet zone around it. */
export interface SymbolShape {
  width: number;
  height: number;
  dark: readonly Rectangle[];
}

/** The size of a boleto's barcode without its quiet zone, set by the banks. */
export const BARCODE_MM = { width: 103, height: 13 };
/** Interleaved 2 of 5: which of the five bars, or spaces, of a digit are wide. */
const WIDE = ['00110', '10001', '01001', '11000', '00101', '10100', '01100', '00011', '10010', '01010'];
/** Bar, space, bar, space, all narrow: the modules 1010. */
const START = '0000';
/** A wide bar, a space, a bar: the modules 11101. */
const STOP = '100';
const WIDE_MODULES = 3;
/** 5 mm on either side, which are 20 modules; the standard asks for 10. */
const BARCODE_QUIET = 20;
const QR_QUIET = 4;
/** It is read with up to 15 % of it soiled, as on a printed page that was folded. */
const QR_CORRECTION = 'M';
const QR_MODULE_MM = 1;
const NOTICE_MM = 5;

/** The bars of a barcode, 405 modules wide and one high. */
export function barcodeShape(barcode: string): SymbolShape {
  const dark: Rectangle[] = [];
  let x = 0;
  for (const [at, width] of elementsOf(barcode).entries()) {
    if (at % 2 === 0) dark.push({ x, y: 0, width, height: 1 });
    x += width;
  }
  return { width: x, height: 1, dark };
}

/** The squares of the QR code of a text in ASCII; those of a row that touch are one rectangle. */
export function qrShape(text: string): SymbolShape {
  const code = qrcode(0, QR_CORRECTION);
  code.addData(text);
  code.make();
  const size = code.getModuleCount();
  const dark: Rectangle[] = [];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const start = x;
      while (x < size && code.isDark(y, x)) x++;
      if (x > start) dark.push({ x: start, y, width: x - start, height: 1 });
    }
  }
  return { width: size, height: size, dark };
}

/** A barcode as an image of 113 by 13 mm, with a notice below it where one is given. */
export function barcodeSvg(barcode: string, notice?: string): string {
  const shape = barcodeShape(barcode);
  const moduleMm = BARCODE_MM.width / shape.width;
  return svgOf(shape, { moduleMm, heightMm: BARCODE_MM.height, quiet: BARCODE_QUIET, quietAbove: 0, notice });
}

/** The QR code of a text in ASCII as an image, a module a millimetre, with a notice below it where one is given. */
export function qrSvg(text: string, notice?: string): string {
  const shape = qrShape(text);
  const heightMm = shape.height * QR_MODULE_MM;
  return svgOf(shape, { moduleMm: QR_MODULE_MM, heightMm, quiet: QR_QUIET, quietAbove: QR_QUIET, notice });
}

interface Drawing {
  moduleMm: number;
  /** Of the symbol alone. */
  heightMm: number;
  /** Modules that stay light on the left and right. */
  quiet: number;
  /** Modules that stay light above and below. */
  quietAbove: number;
  notice: string | undefined;
}

/** Its unit is the module, so that bars begin at whole numbers. */
function svgOf(shape: SymbolShape, { moduleMm, heightMm, quiet, quietAbove, notice }: Drawing): string {
  const stretch = heightMm / moduleMm / shape.height;
  const width = shape.width + 2 * quiet;
  const symbol = shape.height * stretch + 2 * quietAbove;
  const height = symbol + (notice === undefined ? 0 : NOTICE_MM / moduleMm);
  const bars = shape.dark.map(
    (bar) =>
      `<rect x="${bar.x + quiet}" y="${short(bar.y * stretch + quietAbove)}" width="${bar.width}" height="${short(bar.height * stretch)}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${short(width * moduleMm)}mm" height="${short(height * moduleMm)}mm" viewBox="0 0 ${width} ${short(height)}" shape-rendering="crispEdges">`,
    `<path fill="#fff" d="M0 0h${width}v${short(height)}H0z"/>`,
    `<g>${bars.join('')}</g>`,
    notice === undefined ? '' : noticeOf(notice, { width, symbol, moduleMm }),
    '</svg>',
  ].join('');
}

/** It has three quarters of the width: then no font of any machine makes it wider than the image. */
function noticeOf(notice: string, { width, symbol, moduleMm }: { width: number; symbol: number; moduleMm: number }) {
  const size = Math.min(3 / moduleMm, (width * 1.25) / notice.length);
  const text = notice.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${width / 2}" y="${short(symbol + 3 / moduleMm)}" font-family="Helvetica,Arial,sans-serif" font-size="${short(size)}" text-anchor="middle">${text}</text>`;
}

/** At most three decimals. */
function short(number: number): string {
  return String(Math.round(number * 1_000) / 1_000);
}

/** The widths of bars and spaces by turns, the first a bar. The two digits of a pair share five bars and five spaces. */
function elementsOf(barcode: string): number[] {
  let wide = START;
  for (let at = 0; at < barcode.length; at += 2) {
    const bars = WIDE[Number(barcode[at])] ?? '';
    const spaces = WIDE[Number(barcode[at + 1])] ?? '';
    for (let each = 0; each < bars.length; each++) wide += `${bars[each]}${spaces[each]}`;
  }
  return [...(wide + STOP)].map((each) => (each === '1' ? WIDE_MODULES : 1));
}
