/** A bar of the chart. */
export interface Bar {
  label: string;
  value: number;
  /** Where the number stands behind it. */
  text: string;
  kind: 'ceiling' | 'ours' | 'naive';
}

const WIDTH = 720;
const LEFT = 150;
const RIGHT = 190;
const TOP = 52;
const ROW = 34;
const BAR = 20;
const BOTTOM = 16;
/** A bar of almost nothing is still seen. */
const THINNEST = 2;

/** Bars side by side, as SVG: no fonts of its own, and colours for a light and a dark page. */
export function chart(title: string, subtitle: string, bars: readonly Bar[]): string {
  const height = TOP + bars.length * ROW + BOTTOM;
  const most = Math.max(...bars.map(({ value }) => value));
  const line = ({ label, value, text, kind }: Bar, index: number) => {
    const y = TOP + index * ROW;
    const width = Math.max(THINNEST, (value / most) * (WIDTH - LEFT - RIGHT));
    const middle = y + BAR / 2 + 4;
    return [
      `  <text class="label" x="${LEFT - 10}" y="${middle}" text-anchor="end">${escaped(label)}</text>`,
      `  <rect class="${kind}" x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="3"/>`,
      `  <text class="value" x="${(LEFT + width + 8).toFixed(1)}" y="${middle}">${escaped(text)}</text>`,
    ].join('\n');
  };
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
  <style>
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
    .title { font-size: 15px; font-weight: 600; }
    .subtitle, .value { fill: #59636e; }
    .ours { fill: #0969da; } .naive { fill: #bc4c00; } .ceiling { fill: #afb8c1; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .subtitle, .value { fill: #9198a1; }
      .ours { fill: #4493f8; } .naive { fill: #db6d28; } .ceiling { fill: #656c76; }
    }
  </style>
  <text class="title" x="16" y="22">${escaped(title)}</text>
  <text class="subtitle" x="16" y="40">${escaped(subtitle)}</text>
${bars.map(line).join('\n')}
</svg>
`;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '');
}
