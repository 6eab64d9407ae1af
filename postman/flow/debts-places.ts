export const OF_COMPANY = { company_id: '{{company_id}}' };
export const IMPORT = { id: '{{debts_import_id}}' };
/** Two debts of the example's four: the first is paid, the second cancelled. */
export const PAID = { debt_id: 'a73e1574-b658-4942-9ccb-980c00e827ce' };
export const CANCELLED = { debt_id: '76c1d70a-3284-4f40-aba6-ba578279968f' };
export const COUNTS =
  '[body.lines, body.blank, body.accepted, body.rejected, body.created, body.repeated, body.conflicting]';
