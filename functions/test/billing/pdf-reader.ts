import { inflateSync } from 'node:zlib';

/** A rectangle on the page, in millimetres from its upper left corner. */
export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A piece of text, where it begins, its font size in points, and the angle at which it is written. */
export interface Text {
  text: string;
  x: number;
  y: number;
  font: string;
  size: number;
  degrees: number;
}

/** What is drawn on the one page of a PDF. */
export interface Drawn {
  /** Filled in black. */
  black: Rectangle[];
  /** Drawn as a frame. */
  frames: Rectangle[];
  texts: Text[];
}

type Matrix = readonly [number, number, number, number, number, number];
const POINT_MM = 25.4 / 72;
const PAGE_POINTS = 841.89;
const TOKEN = /\[|\]|<([0-9a-f]*)>|\/([^\s/[\]<>]+)|(-?\d*\.?\d+)|([A-Za-z]+\*?)/g;
/** Bytes 0x80 to 0x9f of Windows-1252, by Unicode's CP1252.TXT: node 20 decodes them as Latin-1. `\0` where there is none. */
const WINDOWS_1252 = '€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ';

/** Reads the operators of the only content stream, by PDF 32000-1: paths of rectangles, their fill, text. */
export function readPage(pdf: Uint8Array): Drawn {
  const page = new PageReader();
  let operands: (string | number)[] = [];
  for (const [token, hex, name, number, operator] of contentOf(pdf).matchAll(TOKEN)) {
    if (operator !== undefined) {
      page.run(operator, operands);
      operands = [];
    } else if (hex !== undefined) operands.push(decoded(Buffer.from(hex, 'hex')));
    else if (number !== undefined) operands.push(Number(number));
    else if (name !== undefined) operands.push(name);
    else if (token === '[') operands = [];
  }
  return page.drawn;
}

/** The file without its content stream, as text. */
export function structureOf(pdf: Uint8Array): string {
  return Buffer.from(pdf)
    .toString('latin1')
    .replace(/stream\n[\s\S]*\nendstream/, '');
}

/** A text of WinAnsiEncoding, which is Windows-1252. */
export function decoded(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[\x80-\x9f]/g, (each) => WINDOWS_1252[each.charCodeAt(0) - 0x80] ?? '');
}

function contentOf(pdf: Uint8Array): string {
  const streams = [
    ...Buffer.from(pdf)
      .toString('latin1')
      .matchAll(/\nstream\n([\s\S]*?)\nendstream/g),
  ];
  if (streams.length !== 1) throw new Error(`${streams.length} streams`);
  return inflateSync(Buffer.from(streams[0]?.[1] ?? '', 'latin1')).toString('latin1');
}

class PageReader {
  readonly drawn: Drawn = { black: [], frames: [], texts: [] };
  #state: { matrix: Matrix; fill: string } = { matrix: [1, 0, 0, 1, 0, 0], fill: '0 0 0' };
  readonly #saved: { matrix: Matrix; fill: string }[] = [];
  #path: Rectangle[] = [];
  #font = { font: '', size: 0 };
  #text: Matrix = [1, 0, 0, 1, 0, 0];

  run(operator: string, operands: readonly (string | number)[]): void {
    const numbers = operands.filter((each) => typeof each === 'number');
    if (operator === 'q') this.#saved.push({ ...this.#state });
    else if (operator === 'Q') this.#state = this.#saved.pop() ?? this.#state;
    else if (operator === 'cm') this.#state.matrix = product(numbers as unknown as Matrix, this.#state.matrix);
    else if (operator === 'scn') this.#state.fill = numbers.join(' ');
    else if (operator === 're') this.#path.push(this.#rectangle(numbers));
    else if (operator === 'f') this.#paint(this.#state.fill === '0 0 0' ? this.drawn.black : []);
    else if (operator === 'S') this.#paint(this.drawn.frames);
    else if (operator === 'Tf') this.#font = { font: String(operands[0]), size: Number(operands[1]) };
    else if (operator === 'Tm') this.#text = numbers as unknown as Matrix;
    else if (operator === 'TJ') this.#write(operands.filter((each) => typeof each === 'string').join(''));
    else if (!['BT', 'ET', 'cs', 'CS', 'SCN', 'w', 'd', 'm', 'l'].includes(operator)) throw new Error(operator);
  }

  #paint(as: Rectangle[]): void {
    as.push(...this.#path);
    this.#path = [];
  }

  #rectangle([x = 0, y = 0, width = 0, height = 0]: readonly number[]): Rectangle {
    const [left, low] = at(this.#state.matrix, x, y);
    const [right, high] = at(this.#state.matrix, x + width, y + height);
    const top = PAGE_POINTS - Math.max(low, high);
    const points = [Math.min(left, right), top, Math.abs(right - left), Math.abs(high - low)];
    const [mmX = 0, mmY = 0, mmWidth = 0, mmHeight = 0] = points.map((each) => each * POINT_MM);
    return { x: mmX, y: mmY, width: mmWidth, height: mmHeight };
  }

  #write(text: string): void {
    const matrix = product(this.#text, this.#state.matrix);
    const degrees = Math.round((Math.atan2(matrix[1], matrix[0]) * 180) / Math.PI);
    const place = { x: matrix[4] * POINT_MM, y: (PAGE_POINTS - matrix[5]) * POINT_MM };
    this.drawn.texts.push({ text, ...place, ...this.#font, degrees });
  }
}

function product(a: Matrix, b: Matrix): Matrix {
  const [x, y] = at(b, a[4], a[5]);
  return [
    a[0] * b[0] + a[1] * b[2],
    a[0] * b[1] + a[1] * b[3],
    a[2] * b[0] + a[3] * b[2],
    a[2] * b[1] + a[3] * b[3],
    x,
    y,
  ];
}

function at(matrix: Matrix, x: number, y: number): [number, number] {
  return [matrix[0] * x + matrix[2] * y + matrix[4], matrix[1] * x + matrix[3] * y + matrix[5]];
}
