/** A bar of the chart. */
export interface Bar {
  label: string;
  value: number;
  /** The number in words, behind the bar. */
  text: string;
  kind: 'ceiling' | 'ours' | 'naive';
}

const WIDTH = 720;
const MARGIN = 16;
const LEFT = 150;
const RIGHT = 190;
const TITLE = 22;
const LINE = 18;
const BELOW_TEXT = 16;
/** Width of a character as a part of its font size, in the widest font that a page may choose. So a line fits everywhere. */
const WIDEST = 0.62;
const SIZES = { title: 15, text: 13 };
const ROW = 34;
const BAR = 20;
const BOTTOM = 16;
/** So that a bar of almost nothing is still seen. */
const THINNEST = 2;

/**
 * Bars below each other, the longest first, as SVG: without fonts of its own, with colours for a light and a dark page. A
 * title or subtitle that is too long goes on in another line.
 */
export function chart(title: string, subtitle: string, bars: readonly Bar[]): string {
  const head = [...wrapped(title, 'title'), ...wrapped(subtitle, 'subtitle')];
  const top = TITLE + (head.length - 1) * LINE + BELOW_TEXT;
  const height = top + bars.length * ROW + BOTTOM;
  const most = Math.max(...bars.map(({ value }) => value));
  const sorted = bars.toSorted((a, b) => b.value - a.value);
  const line = ({ label, value, text, kind }: Bar, index: number) => {
    const y = top + index * ROW;
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
    text { font: ${SIZES.text}px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
    .title { font-size: ${SIZES.title}px; font-weight: 600; }
    .subtitle, .value { fill: #59636e; }
    .ours { fill: #0969da; } .naive { fill: #bc4c00; } .ceiling { fill: #afb8c1; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .subtitle, .value { fill: #9198a1; }
      .ours { fill: #4493f8; } .naive { fill: #db6d28; } .ceiling { fill: #656c76; }
    }
  </style>
${head.map(({ text, kind }, index) => `  <text class="${kind}" x="${MARGIN}" y="${TITLE + index * LINE}">${escaped(text)}</text>`).join('\n')}
${sorted.map(line).join('\n')}
</svg>
`;
}

/** The text cut between words into lines, each as full as the width of the picture allows. */
function wrapped(text: string, kind: 'title' | 'subtitle'): { text: string; kind: string }[] {
  const size = kind === 'title' ? SIZES.title : SIZES.text;
  const characters = Math.floor((WIDTH - 2 * MARGIN) / (size * WIDEST));
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= characters) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((one) => ({ text: one, kind }));
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '');
}
