import { percentile } from '../report/statistics.js';
import type { LoadFigures } from './load-users.js';

/** The answers of one stretch of time. Latencies are in milliseconds; NaN where nothing was answered. */
interface Moment {
  /** Seconds since the first request. */
  at: number;
  p50: number;
  p99: number;
  max: number;
}

const MOST_MOMENTS = 60;
const LINES = ['p50', 'p99', 'max'] as const;
const BLOCKS = '▁▂▃▄▅▆▇█';

/** The latency of the accepted requests over time, by the second of their answers; of longer runs by more seconds. */
export function momentsOf({ latencyMs, acceptedMs }: Pick<LoadFigures, 'latencyMs' | 'acceptedMs'>): Moment[] {
  const last = acceptedMs.reduce((most, at) => (at > most ? at : most), 0);
  const seconds = Math.max(1, Math.ceil(last / 1_000 / MOST_MOMENTS));
  const stretches: number[][] = Array.from({ length: Math.floor(last / 1_000 / seconds) + 1 }, () => []);
  for (const [user, at] of acceptedMs.entries())
    if (at >= 0) stretches[Math.floor(at / 1_000 / seconds)]?.push(latencyMs[user] as number);
  return stretches.map((latencies, index) => ({
    at: index * seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    max: percentile(latencies, 1),
  }));
}

/** The moments as three lines of blocks, each as high as its own highest, which stands behind it. */
export function sparklines(moments: readonly Moment[]): string[] {
  return LINES.map((line) => {
    const values = moments.map((moment) => moment[line]);
    const top = highest(values);
    const blocks = values.map((value) => (Number.isNaN(value) ? ' ' : blockOf(value / top)));
    return `${line}  ${blocks.join('')}  up to ${milliseconds(top)}`;
  });
}

function blockOf(part: number): string {
  return BLOCKS[Math.min(BLOCKS.length - 1, Math.floor(part * BLOCKS.length))] ?? ' ';
}

function highest(values: readonly number[]): number {
  return Math.max(...values.filter((value) => !Number.isNaN(value)), Number.MIN_VALUE);
}

/** A time in words: `12.3 ms`, `4,500 ms`. */
export function milliseconds(value: number): string {
  if (Number.isNaN(value)) return '-';
  return `${value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)} ms`;
}

const WIDTH = 720;
const HEIGHT = 300;
const LEFT = 80;
const TOP = 60;
const BOTTOM = 40;
const RIGHT = 60;
/** The lowest value that is drawn: a logarithm has no zero. */
const LEAST_MS = 0.1;

/** The moments as SVG: lines over time on a logarithmic scale, with colours for a light and a dark page. */
export function drawing(title: string, moments: readonly Moment[]): string {
  const bottom = Math.floor(Math.log10(Math.max(LEAST_MS, Math.min(...moments.map(({ p50 }) => p50 || LEAST_MS)))));
  const top = Math.max(bottom + 1, Math.ceil(Math.log10(highest(moments.map(({ max }) => max)))));
  const y = (ms: number) => {
    const part = (Math.log10(Math.max(ms, LEAST_MS)) - bottom) / (top - bottom);
    return (HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  };
  const span = Math.max(1, moments.at(-1)?.at ?? 0);
  const x = (at: number) => (LEFT + (at / span) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const grid = Array.from({ length: top - bottom + 1 }, (_, step) => 10 ** (bottom + step)).map(
    (ms) =>
      `  <path class="grid" d="M${LEFT} ${y(ms)}H${WIDTH - RIGHT}"/><text x="${LEFT - 8}" y="${y(ms)}" text-anchor="end">${milliseconds(ms)}</text>`,
  );
  const lines = LINES.map((line) => {
    const points = moments.filter((moment) => !Number.isNaN(moment[line]));
    const last = points.at(-1);
    const path = points.map((moment) => `${x(moment.at)},${y(moment[line])}`).join(' ');
    const label = last && `<text x="${WIDTH - RIGHT + 8}" y="${y(last[line])}">${line}</text>`;
    return `  <polyline class="${line}" points="${path}"/>${label ?? ''}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${title}">
  <style>
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
    polyline { fill: none; stroke-width: 2; } .grid { stroke: #d1d9e0; }
    .p50 { stroke: #0969da; } .p99 { stroke: #bc4c00; } .max { stroke: #59636e; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .grid { stroke: #3d444d; } .p50 { stroke: #4493f8; } .p99 { stroke: #db6d28; } .max { stroke: #9198a1; }
    }
  </style>
  <text x="16" y="24" font-weight="600">${title}</text>
${grid.join('\n')}
${lines.join('\n')}
  <text x="${LEFT}" y="${HEIGHT - 14}">0 s</text><text x="${WIDTH - RIGHT}" y="${HEIGHT - 14}" text-anchor="end">${span} s</text>
</svg>
`;
}
