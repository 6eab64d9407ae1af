/** Words that say telephone, and how sure one can be of them: 4 a mobile, 3 a telephone, 2 a number, 1 a contact. */
const WORDS: readonly [rank: number, words: string][] = [
  [4, 'celular celulares cel cell cellphone cellular movel moveis mobile movil moviles telemovel telemoveis msisdn'],
  [4, 'whatsapp whats whatsap watsapp wpp zap zapzap smartphone'],
  [
    3,
    'telefone telefones tel tels telef telf tlf tfno fone fones phone phones telephone telephones telefono telefonos',
  ],
  [2, 'numero numeros num nro number numbers'],
  [1, 'contato contatos contact contacts contacto contactos destinatario destinatarios recipient recipients'],
];
const RANKS = new Map(WORDS.flatMap(([rank, words]) => words.split(' ').map((word) => [word, rank] as const)));
/**
 * From this rank on a name may have other words too: `telefone do cliente`. A number or a contact must stand alone: `numero
 * da casa` is no telephone.
 */
const SURE = 3;
const NUMBER = 2;
/** A telephone that is no mobile by its name: half a rank lower, so after every plain name of its rank. */
const LAND_LINE = new Set('fixo fixos residencial landline home fijo comercial recado'.split(' '));
/**
 * A part of a telephone or a telephone with it, as `DDD do celular`; or somebody else's. One and a half ranks lower, so
 * after every plain telephone.
 */
const LESS_SURE = new Set(
  (
    'ddd ddi codigo cod code pais country ramal extension ext vendedor vendedora seller corretor atendente gerente consultor ' +
    'emergencia emergency referencia antigo antiga anterior old previous secundario fax'
  ).split(' '),
);
/**
 * Next to a telephone word they make the column something about a telephone: its kind, its carrier, whether there is one.
 */
const ABOUT = new Set(
  (
    'tipo type tem has possui operadora operator carrier modelo model marca brand status valido valid data date hora time ' +
    'horario obs observacao observacoes nota note qtd quantidade count nome name nombre email mail optin aceita permite ' +
    'verificado verified imei sim nao yes not opt out bloqueado bloqueados blocked hash cancelado'
  ).split(' '),
);
/** Names of columns whose values are digits too, and are no telephones: of a document, a code, a date, an amount. */
const OTHER_DIGITS = new Set(
  (
    'cpf cnpj rg ie pis nis nit cnh doc documento documentos document passaporte passport id ids identificador codigo cod code ' +
    'matricula contrato pedido protocolo registro inscricao cep zip zipcode data date fecha nascimento nasc valor preco price ' +
    'amount monto conta agencia account cuenta cartao card nsu ean sku crm dni nif nie cuit cuil rut rfc curp cedula ssn order ' +
    'idade age edad ano year saldo total quantidade qtd identificacao identificacion titulo boleto nota invoice prontuario ' +
    'processo imei chave orden nf'
  ).split(' '),
);
const LITTLE = new Set('o os a as do da de dos das d the of el la los las del n no nr'.split(' '));
/** For words written as one, such as `numerotelefone`, `telcelular` or `mobilephone`. */
const PARTS = [...RANKS.keys(), 'do', 'de', 'no', 'nr', 'n'].sort((a, b) => b.length - a.length).join('|');
const COMPOUND = new RegExp(`^(?:${PARTS})+$`);
/** Longer words are no names, and would keep the expression above busy. */
const LONGEST_WORD = 32;
const ONE_PART = new RegExp(PARTS, 'g');

/** A name as it is compared: without accents, case, punctuation, invisible characters. `Nº do Celular` is `n do celular`. */
export function plainName(name: string): string {
  return name
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1 $2')
    .normalize('NFKD')
    .replace(/[\p{M}\p{Default_Ignorable_Code_Point}]/gu, '')
    .toLowerCase()
    .replace(/(\p{L})(?=\d)|(\d)(?=\p{L})/gu, '$1$2 ')
    .replace(/[^\p{L}\d]+/gu, ' ')
    .trim();
}

/** How surely a column's name says telephone; 0 if it does not. The rules and words are those of docs/api.md. */
export function telephoneRank(name: string): number {
  const words = plainName(name)
    .split(' ')
    .filter((word) => !/^\d*$/.test(word))
    .flatMap(parts);
  const best = Math.max(0, ...words.map(rankOf));
  const others = words.filter((word) => rankOf(word) === 0 && !LITTLE.has(word));
  if (best === 0 || (best < SURE && others.length > 0)) return 0;
  if (others.some((word) => !LESS_SURE.has(word) && (ABOUT.has(word) || OTHER_DIGITS.has(word)))) return 0;
  const less = others.some((word) => LESS_SURE.has(word)) ? 1.5 : others.some((word) => LAND_LINE.has(word)) ? 0.5 : 0;
  // Of equals, the name with the fewest other words.
  return best - less - Math.min(others.length, 9) / 100;
}

/** The index of the first column whose name says telephone most surely, or -1. */
export function telephoneColumn(names: readonly string[]): number {
  const ranks = names.map(telephoneRank);
  const best = Math.max(0, ...ranks);
  return best === 0 ? -1 : ranks.indexOf(best);
}

/** Whether a column's name says that its values are digits of another kind. */
export function namesOtherDigits(name: string): boolean {
  const words = plainName(name).split(' ');
  const isNumberOf = words.length > 1 && words.some((word) => RANKS.get(word) === NUMBER);
  return (isNumberOf && telephoneRank(name) === 0) || words.some((word) => OTHER_DIGITS.has(word));
}

function rankOf(word: string): number {
  return RANKS.get(word) ?? 0;
}

function parts(word: string): string[] {
  return word.length <= LONGEST_WORD && COMPOUND.test(word) ? (word.match(ONE_PART) ?? [word]) : [word];
}
