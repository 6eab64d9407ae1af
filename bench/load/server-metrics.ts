/** What a server's /metrics says of its processes, summed. Undefined: it does not say. */
export interface ServerMetrics {
  residentBytes: number | undefined;
  /** Processes that share the port. */
  processes: number;
  /** Files that its processes may open in all, and have open. */
  mostDescriptors: number | undefined;
  openDescriptors: number | undefined;
}

const WITHIN_MS = 30_000;

/** Reads /metrics. A server that has none, or does not answer in time, says nothing. */
export async function serverMetrics(base: string): Promise<ServerMetrics> {
  const text = await fetch(`${base}/metrics`, { signal: AbortSignal.timeout(WITHIN_MS) })
    .then((answer) => (answer.ok ? answer.text() : ''))
    .catch(() => '');
  return {
    residentBytes: sumOf(text, 'process_resident_memory_bytes'),
    processes: sumOf(text, 'disparo_api_processes') ?? 1,
    mostDescriptors: sumOf(text, 'process_max_fds'),
    openDescriptors: sumOf(text, 'process_open_fds'),
  };
}

/** The sum of a metric over its labels, in the text format of Prometheus. */
export function sumOf(text: string, name: string): number | undefined {
  const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))].map(([, value]) =>
    Number(value),
  );
  return samples.length === 0 ? undefined : samples.reduce((sum, value) => sum + value, 0);
}
