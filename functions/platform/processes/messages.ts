import type { Registry } from 'prom-client';

/** The metrics of one process with their values, as prom-client writes them for an aggregation. */
export type Snapshot = ReturnType<Registry['getMetricsAsArray']>;

/** What a process of the plain server tells the one that has started it. */
export type ToPrimary =
  /** It hears messages from now on: what was said before is lost. */
  | { kind: 'hears' }
  | { kind: 'listening'; url: string }
  /** All its stores are there. */
  | { kind: 'ready' }
  /** It ends with this code, which no restart can mend; `line` says why. */
  | { kind: 'failed'; line: string; code: number }
  /** Somebody scrapes this process: it asks for the metrics of all. */
  | { kind: 'scrape'; id: number }
  /** The answer to `count`. */
  | { kind: 'counted'; snapshot: Snapshot };

/** What a process of the plain server is told. */
export type ToMember =
  /** Finish what is in flight and end. */
  | { kind: 'stop'; signal: string }
  /** Send your metrics. */
  | { kind: 'count' }
  /** The answer to `scrape`, in the text format of Prometheus. */
  | { kind: 'scraped'; id: number; text: string };
