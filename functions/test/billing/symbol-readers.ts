import { createRequire } from 'node:module';
import type { Rectangle } from './pdf-reader.js';

const jsQR = createRequire(import.meta.url)('jsqr') as typeof import('jsqr').default;

/** In a digit of interleaved 2 of 5 two of five elements are wide. Their weights add up to the digit, and 11 stands for 0. */
const WEIGHTS = [1, 2, 4, 7, 0];
const PAIR = 10;
const DARK = 0;
const LIGHT = 255;

/** The digits of a barcode of interleaved 2 of 5, from its bars. An element is wide when it has more than twice the narrowest. */
export function readBarcode(bars: readonly Rectangle[]): string {
  const sorted = bars.toSorted((a, b) => a.x - b.x);
  const elements = sorted.flatMap(({ x, width }, index) => {
    const next = sorted[index + 1];
    return next === undefined ? [width] : [width, next.x - x - width];
  });
  const narrow = Math.min(...elements);
  const wide = elements.map((each) => (each > 2 * narrow ? 1 : 0)).join('');
  if (!wide.startsWith('0000') || !wide.endsWith('100')) throw new Error(`no barcode: ${wide}`);
  const pairs = wide.slice(4, -3).match(new RegExp(`.{${PAIR}}`, 'g')) ?? [];
  return pairs
    .map(
      (pair) => digitOf([...pair].filter((_, at) => at % 2 === 0)) + digitOf([...pair].filter((_, at) => at % 2 === 1)),
    )
    .join('');
}

function digitOf(elements: readonly string[]): string {
  const weights = WEIGHTS.filter((_, at) => elements[at] === '1');
  if (weights.length !== 2) throw new Error(`no digit: ${elements.join('')}`);
  return String(weights.reduce((sum, weight) => sum + weight, 0) % 11);
}

/** The text of the QR code among dark rectangles, as a camera sees it: so many pixels for each of their units. */
export function readQr(
  dark: readonly Rectangle[],
  { width, height }: { width: number; height: number },
  pixels: number,
) {
  const [across, down] = [Math.ceil(width * pixels), Math.ceil(height * pixels)];
  const image = new Uint8ClampedArray(across * down * 4).fill(LIGHT);
  for (const each of dark) {
    const [left, right] = [each.x, each.x + each.width].map((x) => Math.round(x * pixels)) as [number, number];
    const [top, bottom] = [each.y, each.y + each.height].map((y) => Math.round(y * pixels)) as [number, number];
    for (let y = top; y < bottom; y++)
      for (let x = left; x < right; x++) image.fill(DARK, (y * across + x) * 4, (y * across + x) * 4 + 3);
  }
  return jsQR(image, across, down)?.data;
}
