import { describe, expect, it } from 'vitest';
import { type Bar, chart } from './chart.js';

const bar = (label: string, value: number): Bar => ({ label, value, text: `${value}/s`, kind: 'ours' });
const widths = (svg: string) => [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));

describe('the chart', () => {
  // The longest fits into the picture, and a bar of almost nothing is still seen.
  it('bars are in proportion, the longest first', () => {
    const [whole = 0, half = 0, nothing = 0] = widths(
      chart('t', 's', [bar('c', 0.01), bar('a', 1_000), bar('b', 500)]),
    );
    expect([half / whole, nothing]).toEqual([0.5, 2]);
    expect(whole).toBeLessThan(720);
  });

  it('a text that is wider than the picture is wrapped, above the bars', () => {
    const words = Array.from({ length: 30 }, (_, index) => `word${index}`);
    const svg = chart(words.join(' '), words.join(' '), [bar('a', 1)]);
    const lines = [...svg.matchAll(/<text class="(title|subtitle)" x="16" y="(\d+)">([^<]+)/g)];
    expect(lines.map(([, , , text]) => text).join(' ')).toBe([...words, ...words].join(' '));
    // At 15 and 13 pixels, in a wide font: a character takes 0.62 of the font size.
    for (const [, kind, , text = ''] of lines) expect(text.length * (kind === 'title' ? 9.3 : 8.06)).toBeLessThan(704);
    const [, top] = /<rect [^>]*y="(\d+)"/.exec(svg) ?? [];
    expect(Math.max(...lines.map(([, , y]) => Number(y)))).toBeLessThan(Number(top));
  });

  it('texts are escaped, no font is loaded, and a dark page has colours', () => {
    const svg = chart('a < b & "c"', 's', [bar('<script>', 1)]);
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
    expect(svg).not.toMatch(/<script>|@import|@font-face|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    expect(svg).toContain('prefers-color-scheme: dark');
  });
});
