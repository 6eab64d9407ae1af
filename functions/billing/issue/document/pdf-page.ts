import PDFDocument from 'pdfkit';
import { printableOf } from './pdf-text.js';
import type { SymbolShape } from './symbols.js';

/** A place on the page in millimetres, from its upper left corner. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** How a text is written in its box. Sizes are in points. */
export interface Style {
  size?: number;
  /** Down to this size a long text becomes smaller; then it is cut. */
  smallest?: number;
  bold?: boolean;
  align?: 'left' | 'center' | 'right';
  color?: string;
}

const POINTS = 72 / 25.4;
const PLAIN = 'Helvetica';
const BOLD = 'Helvetica-Bold';
const BLACK = '#000000';
const LABEL = '#505050';
const SHADE = '#f1f1f1';
const THIN = 0.5;
const PADDING_MM = 1.2;
const LABEL_SIZE = 5.8;
const LINE_HEIGHT = 1.25;
const WATERMARK_SIZE = 40;
/** Of the angle of the box's diagonal: then the height of the letters stays inside. */
const WATERMARK_TURN = 0.7;
/** What a sum of widths may be off by, in points. */
const ROUNDING = 1e-6;
const CUT = '…';
/** For programs that show the page or read it aloud. */
const READERS = { lang: 'pt-BR', displayTitle: true } as const;

/** A page of A4 on which is drawn in millimetres. */
export class Page {
  readonly #document: PDFKit.PDFDocument;
  readonly #bytes: Promise<Buffer>;

  /** `madeOn`: the only time in the file, so that the same content makes the same bytes. */
  constructor(title: string, madeOn: Date) {
    const info = { Title: title, Creator: 'Disparo', Producer: 'PDFKit', CreationDate: madeOn };
    this.#document = new PDFDocument({ size: 'A4', margin: 0, info, ...READERS });
    this.#bytes = bytesOf(this.#document);
  }

  /** The whole file. Nothing can be drawn after it. */
  end(): Promise<Buffer> {
    this.#document.end();
    return this.#bytes;
  }

  /** Fills a box, light grey where no colour is given. */
  shade({ x, y, width, height }: Box, color = SHADE): void {
    this.#document.rect(x * POINTS, y * POINTS, width * POINTS, height * POINTS).fill(color);
  }

  /** A line between two places; its width in points, `dash` in millimetres. */
  line(from: [x: number, y: number], to: [x: number, y: number], width = THIN, dash?: number): void {
    const drawn = this.#document.lineWidth(width).strokeColor(BLACK);
    if (dash !== undefined) drawn.dash(dash * POINTS, { space: dash * POINTS });
    drawn
      .moveTo(from[0] * POINTS, from[1] * POINTS)
      .lineTo(to[0] * POINTS, to[1] * POINTS)
      .stroke();
    if (dash !== undefined) drawn.undash();
  }

  /** A cell of a boleto: its frame, a small label on top, its value below, which is cut rather than leave the cell. */
  field(box: Box, label: string, value: string, style: Style = {}): void {
    const { x, y, width, height } = box;
    this.#document
      .rect(x * POINTS, y * POINTS, width * POINTS, height * POINTS)
      .lineWidth(THIN)
      .stroke(BLACK);
    this.text({ x, y: y + 0.8, width, height: 2.4 }, label, { size: LABEL_SIZE, color: LABEL });
    this.text({ x, y: y + 3.5, width, height: height - 3.5 }, value, style);
  }

  /** One line of text. It becomes smaller when it is too long for its box, and at the smallest size it is cut. */
  text(box: Box, content: string, style: Style = {}): void {
    const { size = 8.5, smallest = 6, bold = false, align = 'left', color = BLACK } = style;
    const most = (box.width - 2 * PADDING_MM) * POINTS;
    this.#document.font(bold ? BOLD : PLAIN);
    const whole = printableOf(content);
    const fitting = Math.min(size, Math.max(smallest, most / this.#widthOf(whole)));
    const text = this.#cut(whole, most / fitting);
    const rest = most - this.#widthOf(text) * fitting;
    const indent = align === 'left' ? 0 : align === 'right' ? rest : rest / 2;
    this.#write(text, { x: (box.x + PADDING_MM) * POINTS + indent, y: box.y * POINTS, size: fitting, color });
  }

  /** A text in as many lines as it needs, broken anywhere but at a blank: who copies the lines gets it whole. */
  block(box: Omit<Box, 'height'>, content: string, size: number): void {
    const most = ((box.width - 2 * PADDING_MM) * POINTS) / size;
    let y = box.y * POINTS;
    this.#document.font(PLAIN);
    for (let rest = printableOf(content); rest !== ''; y += size * LINE_HEIGHT) {
      let length = this.#fits(rest, most);
      while (length > 1 && length < rest.length && rest.slice(length - 1, length + 1).includes(' ')) length--;
      this.#write(rest.slice(0, length), { x: (box.x + PADDING_MM) * POINTS, y, size, color: BLACK });
      rest = rest.slice(length);
    }
  }

  /** A text across a box, turned, behind what is drawn later. */
  watermark(box: Box, content: string, color: string): void {
    const [across, down] = [box.width * POINTS, box.height * POINTS];
    const origin: [number, number] = [box.x * POINTS + across / 2, box.y * POINTS + down / 2];
    const text = printableOf(content);
    const degrees = (Math.atan2(down, across) * WATERMARK_TURN * 180) / Math.PI;
    this.#document.font(BOLD);
    const width = this.#widthOf(text);
    const size = Math.min(WATERMARK_SIZE, across / width);
    this.#document.save().rotate(-degrees, { origin });
    this.#write(text, { x: origin[0] - (width * size) / 2, y: origin[1] - size / 2, size, color });
    this.#document.restore();
  }

  /** A symbol that fills its box, on white: what lies below it would keep it from being read. */
  symbol({ x, y, width, height }: Box, shape: SymbolShape, quietMm: number): void {
    const around = { x: x - quietMm, y: y - quietMm, width: width + 2 * quietMm, height: height + 2 * quietMm };
    this.shade(around, '#ffffff');
    const [across, down] = [(width / shape.width) * POINTS, (height / shape.height) * POINTS];
    for (const each of shape.dark)
      this.#document.rect(
        x * POINTS + each.x * across,
        y * POINTS + each.y * down,
        each.width * across,
        each.height * down,
      );
    this.#document.fill(BLACK);
  }

  #write(text: string, { x, y, size, color }: { x: number; y: number; size: number; color: string }): void {
    this.#document.fontSize(size).fillColor(color).text(text, x, y, { lineBreak: false });
  }

  /** In points, at one point: a font of twice the size is twice as wide. */
  #widthOf(text: string): number {
    return this.#document.fontSize(1).widthOfString(text);
  }

  #cut(text: string, most: number): string {
    if (this.#widthOf(text) <= most + ROUNDING) return text;
    return text.slice(0, this.#fits(text, most - this.#widthOf(CUT))).trimEnd() + CUT;
  }

  /** How many characters of a text fit, at least one. All are of one UTF-16 unit, by `printableOf`. */
  #fits(text: string, most: number): number {
    let [fitting, tooMany] = [1, text.length + 1];
    while (tooMany - fitting > 1) {
      const middle = (fitting + tooMany) >> 1;
      if (this.#widthOf(text.slice(0, middle)) <= most) fitting = middle;
      else tooMany = middle;
    }
    return fitting;
  }
}

/** `data` is listened to first: a document that nobody reads is not finished. */
function bytesOf(document: PDFKit.PDFDocument): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    document.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    document.on('end', () => resolve(Buffer.concat(chunks)));
    document.on('error', reject);
  });
}
