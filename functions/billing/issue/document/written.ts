const THOUSANDS = /\B(?=(\d{3})+$)/g;

/** An amount as Brazil writes it: `R$ 1.000.000,00`. By digits, so that no cent is rounded. */
export function reaisOf(cents: number): string {
  const digits = String(cents).padStart(3, '0');
  return `R$ ${digits.slice(0, -2).replace(THOUSANDS, '.')},${digits.slice(-2)}`;
}

/** A date, YYYY-MM-DD, as Brazil writes it: `12/10/2022`. */
export function dayOf(date: string): string {
  return date.split('-').reverse().join('/');
}

/** A document with its kind, by its length: `CPF 111.111.111-11`, `CNPJ 12.345.678/0001-95`, `Documento 0123`. */
export function documentLabelOf(governmentId: string): string {
  if (governmentId.length === 11) return `CPF ${governmentId.replace(/^(...)(...)(...)/, '$1.$2.$3-')}`;
  if (governmentId.length === 14) return `CNPJ ${governmentId.replace(/^(..)(...)(...)(....)/, '$1.$2.$3/$4-')}`;
  return `Documento ${governmentId}`;
}
