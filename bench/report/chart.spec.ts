import { describe, expect, it } from 'vitest';
import { type Bar, chart } from './chart.js';

const bar = (label: string, value: number): Bar => ({ label, value, text: `${value}/s`, kind: 'ours' });
const widths = (svg: string) => [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));

describe('the chart', () => {
  it('draws bars in proportion, the longest within the picture, and one of almost nothing so that it is seen', () => {
    const [whole = 0, half = 0, nothing = 0] = widths(
      chart('t', 's', [bar('a', 1_000), bar('b', 500), bar('c', 0.01)]),
    );
    expect([half / whole, nothing]).toEqual([0.5, 2]);
    expect(whole).toBeLessThan(720);
  });

  it('keeps texts texts, brings no font, and has colours for a dark page', () => {
    const svg = chart('a < b & "c"', 's', [bar('<script>', 1)]);
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
    expect(svg).not.toMatch(/<script>|@import|@font-face|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    expect(svg).toContain('prefers-color-scheme: dark');
  });
});
