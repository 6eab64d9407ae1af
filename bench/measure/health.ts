import { setTimeout as delay } from 'node:timers/promises';
import type { Stage } from '../../testing/stage.js';
import { MESSAGE, secondsSince } from '../campaign.js';
import { type LineKind, linesFile } from './numbers-file.js';
import { withApi } from './upload.js';

const BETWEEN_MS = 10;
const HEALTH_TIMEOUT_MS = 120_000;

/** One file read by a plain server, and how long calls of /api/health took meanwhile. */
export interface HealthMeasure {
  /** Lines of the file: all of them right, or all wrong but one. */
  numbers: number;
  kind: LineKind;
  /** From the first byte of the file to its answer. */
  answerS: number;
  /** How long each call of /api/health took, in milliseconds: one call after the other until the upload was answered. */
  waitsMs: number[];
}

/** Uploads a file and calls /api/health until the upload is answered. */
export async function measureHealth(stage: Stage, kind: LineKind, numbers: number): Promise<HealthMeasure> {
  return withApi(stage, async ({ base, client }) => {
    const { remove, ...file } = linesFile(numbers, kind);
    try {
      const begun = performance.now();
      const state = { answerS: 0 };
      const uploading = client
        .upload({ ...file, name: 'Bench', message: MESSAGE }, () => {})
        .finally(() => {
          state.answerS = secondsSince(begun);
        });
      const waitsMs: number[] = [];
      while (state.answerS === 0) {
        const asked = performance.now();
        await fetch(`${base}/api/health`, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) }).then((each) =>
          each.text(),
        );
        waitsMs.push(performance.now() - asked);
        await delay(BETWEEN_MS);
      }
      await uploading;
      return { numbers, kind, answerS: state.answerS, waitsMs };
    } finally {
      remove();
    }
  });
}
