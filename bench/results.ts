import type { Machine } from './machine.js';
import type { BillingMeasure } from './measure/billing.js';
import type { ContactsLoad } from './measure/contacts.js';
import type { ContactsDrain } from './measure/contacts-drain.js';
import type { DrainMeasure } from './measure/drain.js';
import type { EventsDrain } from './measure/events.js';
import type { HealthMeasure } from './measure/health.js';
import type { NaiveMeasure } from './measure/naive.js';
import type { PartitionMeasure } from './measure/partitions.js';
import type { PixDrain, PixMade, PixWake } from './measure/pix.js';
import type { EndToEndMeasure, UploadMeasure } from './measure/upload.js';
import type { Part } from './plan.js';
import type { RoutineMeasure } from './routines/routines.js';

/** Ceiling M, measured before and after each drain, into a collection like the consumers' and into one without validator. */
export interface CeilingMeasure {
  numbers: number;
  /** With the validator of the consumers' collection. */
  validatedS: number;
  /** Without a validator: what the machine itself can do. */
  plainS: number;
}

/** A drain, and the ceilings measured right before and right after it. */
export interface BracketedDrain extends DrainMeasure {
  ceilings: readonly [CeilingMeasure, CeilingMeasure];
}

/** One run of the bench: every raw time. */
export interface Results {
  /** ISO 8601. */
  begun: string;
  ended: string;
  run: string;
  parts: readonly Part[];
  machine: Machine;
  /** Load average of one minute. More than the cores at the beginning means that something else was running. */
  load: { begin: number; end: number };
  naive: { each: NaiveMeasure[]; end: NaiveMeasure[] };
  drains: BracketedDrain[];
  uploads: UploadMeasure[];
  endToEnd: EndToEndMeasure[];
  partitions: PartitionMeasure[];
  /** Absent in older runs, which did not measure them. */
  routines?: RoutineMeasure[];
  /** Absent in older runs, which did not measure it. */
  health?: HealthMeasure[];
  /** Absent in older runs, which did not measure them. The n-th of each way, and the n-th drain, are of one round. */
  contacts?: { loads: ContactsLoad[]; drains: ContactsDrain[] };
  /** Absent in older runs, which did not measure them. The n-th of each way and mix are of one round. */
  events?: EventsDrain[];
  /** Absent in runs that did not name it. The n-th of each way is of one round. */
  pix?: { drains: PixDrain[]; wakes: PixWake[]; made: PixMade[] };
  /** Absent in runs that did not name it. The n-th of each way is of one round. */
  billing?: BillingMeasure[];
}
