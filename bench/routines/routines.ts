import { computing } from './computing.js';
import { confirming } from './confirming.js';
import { copying } from './copying.js';
import { inserting } from './inserting.js';
import type { Routine } from './routine.js';

export type { RoutineMeasure } from './routine.js';

/** The routines that docs/questionario.md speaks of, each with a faster way of doing the same. */
export const ROUTINES: readonly Routine[] = [...computing, ...confirming, ...copying, ...inserting];
