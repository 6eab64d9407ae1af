import type { EndToEndMeasure } from '../measure/upload.js';
import type { Results } from '../results.js';
import { naiveFor } from './drain-rows.js';
import { JUDGED_FROM, WANTED, WHOLE } from './goals.js';
import { median, sizesOf } from './statistics.js';
import { type Row, thousands } from './table.js';

/** From the first byte of a file until it is answered, and until the broker has confirmed its last chunk. */
export function uploadRows(results: Results): Row[] {
  return sizesOf(results.uploads).flatMap((numbers) => {
    const rounds = results.uploads.filter((upload) => upload.numbers === numbers);
    const confirmed = median(rounds.map(({ confirmedS }) => confirmedS));
    const memory = rounds.flatMap((round) => (round.memory ? [round.memory] : []));
    const aboveIdle = median(memory.map(({ peakMb, idleMb }) => peakMb - idleMb));
    return [
      { measured: 'upload: answered', numbers, seconds: median(rounds.map(({ answerS }) => answerS)) },
      {
        measured: 'upload: every chunk confirmed',
        numbers,
        seconds: confirmed,
        ...(memory.length > 0 && {
          ratio: `idle + ${aboveIdle.toFixed(0)} MB`,
          peakMb: median(memory.map((one) => one.peakMb)),
        }),
      },
      ...(numbers === JUDGED_FROM ? againstNaiveUpload(results, confirmed) : []),
    ];
  });
}

function againstNaiveUpload(results: Results, confirmed: number): Row[] {
  const naive = naiveFor(results, JUDGED_FROM);
  if (naive === undefined || naive.each.length === 0) return [];
  const times = (rounds: Results['naive']['each']) =>
    (median(rounds.map(({ numbers, publishS }) => publishS / numbers)) * JUDGED_FROM) / confirmed;
  const [each, end] = [times(naive.each), times(naive.end)];
  const naiveName = `naive of ${thousands(naive.size)}`;
  const goal = { wanted: `≤ 1/${WANTED.naiveUploads} of naive`, met: each >= WANTED.naiveUploads };
  return [
    {
      measured: '  upload and naive, each confirm awaited',
      numbers: JUDGED_FROM,
      ratio: `1/${each.toFixed(0)} of ${naiveName}`,
      goal,
    },
    {
      measured: '  upload and naive, confirms at the end',
      numbers: JUDGED_FROM,
      ratio: `1/${end.toFixed(1)} of ${naiveName}`,
    },
  ];
}

/** From the first byte of a file until its campaign is enviado, by consumer and size. */
export function endToEndRows({ endToEnd, drains }: Results): Row[] {
  const keys = [...new Set(endToEnd.map(endToEndKey))];
  return keys.map((key) => {
    const rounds = endToEnd.filter((one) => endToEndKey(one) === key);
    const [{ language, numbers }] = rounds as [EndToEndMeasure];
    const seconds = median(rounds.map(({ sentS }) => sentS));
    const alone = drains.filter((drain) => drain.language === language && drain.numbers === numbers);
    const times = alone.length === 0 ? undefined : seconds / median(alone.map(({ drainS }) => drainS));
    const memory = rounds.flatMap((round) => (round.memory ? [round.memory] : []));
    const above = memory.length === 0 ? undefined : median(memory.map(({ peakMb, idleMb }) => peakMb - idleMb));
    const parts = [
      times !== undefined && `${times.toFixed(2)} x drain`,
      above !== undefined && `API idle + ${above.toFixed(0)} MB`,
    ];
    const met = times === undefined ? undefined : times <= WANTED.timesDrain && (above ?? 0) <= WANTED.apiAboveIdleMb;
    return {
      measured: `first byte to enviado: ${language}`,
      numbers,
      seconds,
      ratio: parts.filter(Boolean).join(', '),
      ...(memory.length > 0 && { peakMb: median(memory.map((one) => one.peakMb)) }),
      ...(numbers === WHOLE && {
        goal: { wanted: `≤ ${WANTED.timesDrain} x drain, API ≤ idle + ${WANTED.apiAboveIdleMb} MB`, met },
      }),
    };
  });
}

function endToEndKey({ language, numbers }: EndToEndMeasure): string {
  return `${language} ${numbers}`;
}
