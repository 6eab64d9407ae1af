import { checkImport, type File } from './files.js';
import type { Tables } from './invariants.js';
import type { Outside } from './outside.js';
import type { People } from './people.js';

interface End {
  readonly files: readonly File[];
  readonly tables: Tables;
  readonly outside: Outside;
  readonly people: Pick<People, 'told'>;
}

/** What holds when nothing is owed any more: each import's counts, each boleto, each payment, by a model of our own. */
export function checkEnd({ files, tables, outside, people }: End): void {
  const { imports, debts, deliveries, payments } = tables;
  for (const each of imports) if (!each.gone) checkImport(each, files[Number(each.file)] as File, debts);
  for (const debt of debts) {
    const title = outside.titles.get(String(debt.seq));
    if (debt.barcode !== null && debt.barcode !== title?.barcode) fail('a boleto that the bank does not have', debt);
    if (debt.cancelled && title && !title.writtenOff) fail('cancelled, and can be paid at the bank', debt);
  }
  outside.checkConfirmed(deliveries);
  const firsts = people.told.filter(({ result }) => result === 'recorded' || result === 'unmatched');
  if (firsts.length !== payments.length) fail('told of other payments than are kept', [firsts, payments]);
  for (const told of people.told) {
    const kept = payments.find((each) => each.event_id === told.event && each.company_no === told.company);
    const isSame = kept?.content === told.content;
    const expected = kept?.seq === null ? 'unmatched' : 'recorded';
    if (told.result !== (isSame ? expected : 'reused') && !(isSame && told.result === 'repeated'))
      fail('told something else than is kept', [told, kept]);
  }
}

function fail(what: string, found: unknown): never {
  throw new Error(`${what}: ${JSON.stringify(found)}`);
}
