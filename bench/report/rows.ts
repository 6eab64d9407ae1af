import type { Results } from '../results.js';
import { billingRows } from './billing-rows.js';
import { contactsRows } from './contacts-rows.js';
import { drainRows, growthRows, naiveRows, partitionRows } from './drain-rows.js';
import { eventsRows } from './events-rows.js';
import { healthRows } from './health-rows.js';
import { pixRows } from './pix-rows.js';
import { routineRows } from './routine-rows.js';
import type { Row } from './table.js';
import { endToEndRows, uploadRows } from './upload-rows.js';

/** Every line, in the order of the table. */
export function rowsOf(results: Results): Row[] {
  return [
    ...naiveRows(results),
    ...drainRows(results),
    ...uploadRows(results),
    ...endToEndRows(results),
    ...healthRows(results),
    ...growthRows(results),
    ...partitionRows(results),
    ...routineRows(results),
    ...contactsRows(results),
    ...eventsRows(results),
    ...pixRows(results),
    ...billingRows(results),
  ];
}
