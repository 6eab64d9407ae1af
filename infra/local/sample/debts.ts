import { randomFrom } from '../../../testing/random.js';

/** A debt as a line of the file says it. All texts are strings of bytes: one character of up to U+00FF is one byte. */
export interface Debt {
  name: Name;
  /** CPF or CNPJ, without points. Not verified: its check digits are wrong. */
  document: string;
  isVerified: boolean;
  email: string;
  cents: number;
  /** `YYYY-MM-DD`. */
  dueOn: string;
  /** A UUID in lower case. */
  id: string;
}

/** A name in both encodings in which a file may have it. */
export interface Name {
  utf8: string;
  windows1252: string;
}

/** A whole number from 0 to one below `count`. */
export type Below = (count: number) => number;

const GIVEN_NAMES = 'Ana,Antônio,Bia,Caetano,Conceição,Fátima,João,José,Luís,Márcia,Otávio,Rui,Sônia,Thaís,Zé';
const FAMILY_NAMES = 'Almeida,Araújo,D’Ávila,Gonçalves,Lima,Magalhães,Pinto,Ribeiro,Silva,Simões,Souza,Tavares';
/** In Windows-1252 it is one of the bytes that Latin-1 does not have. */
const APOSTROPHE = /’/g;
const NAMES: readonly Name[] = GIVEN_NAMES.split(',').flatMap((given) =>
  FAMILY_NAMES.split(',').map((family) => nameOf(`${given} ${family}`)),
);

/** All within the days that an import takes, from 2026 to 2034. */
const DUE_YEARS = [2026, 2027, 2028];
const DAYS = 28;
const MOST_CENTS = 5_000_000;
const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const CPF_DIGITS = 9;
const CNPJ_CHARACTERS = 12;
const HEX_DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
/** Odd, so that the products of different numbers differ in their lowest 32 bits. */
const SPREAD = 0x9e3779b1;

/** A name in both encodings, from its text. */
export function nameOf(text: string): Name {
  return {
    utf8: Buffer.from(text, 'utf8').toString('latin1'),
    windows1252: text.replace(APOSTROPHE, '\x92'),
  };
}

/** Makes debts, each with an id of its own. All follows from the seed. */
export class Debts {
  readonly below: Below;
  readonly #random: () => number;
  #made = 0;

  constructor(private readonly seed: number) {
    this.#random = randomFrom(seed);
    this.below = (count) => Math.floor(this.#random() * count);
  }

  next(): Debt {
    const { below } = this;
    const number = ++this.#made;
    return {
      name: NAMES[below(NAMES.length)] as Name,
      ...this.#document(),
      email: `pessoa.${number}@example.com`,
      cents: 1 + below(MOST_CENTS),
      dueOn: `${DUE_YEARS[below(DUE_YEARS.length)]}-${two(1 + below(12))}-${two(1 + below(DAYS))}`,
      id: this.#id(number),
    };
  }

  /** Of ten: seven CPF, two CNPJ, and one that is neither. */
  #document(): Pick<Debt, 'document' | 'isVerified'> {
    const { below } = this;
    const chance = below(10);
    if (chance < 2) {
      const characters = chance === 0 ? 10 : ALPHANUMERIC.length;
      const text = Array.from({ length: CNPJ_CHARACTERS }, () => ALPHANUMERIC[below(characters)]).join('');
      return { document: checked(text, CNPJ_WEIGHTS), isVerified: true };
    }
    // From 12: no CPF with all digits alike, which is none.
    const text = `12${String(below(10 ** 7)).padStart(7, '0')}`;
    const cpf = checked(text, CPF_DIGITS + 1);
    if (chance < 9) return { document: cpf, isVerified: true };
    return { document: `${cpf.slice(0, -1)}${(Number(cpf.at(-1)) + 1) % 10}`, isVerified: false };
  }

  /** A UUID of version 4. Its first eight digits follow from the number alone: no two debts of a file have one id. */
  #id(number: number): string {
    const first = hex(Math.imul(number, SPREAD) ^ this.seed);
    const [second, third, fourth] = [this.#bits(), this.#bits(), this.#bits()];
    const variant = hex((third & 0x3fffffff) | 0x80000000);
    const words = hex(second);
    return `${first}-${words.slice(0, 4)}-4${words.slice(5)}-${variant.slice(0, 4)}-${variant.slice(4)}${hex(fourth)}`;
  }

  #bits(): number {
    return this.#random() * 2 ** 32;
  }
}

/** Weights from the right: 2 to 9 and again for a CNPJ, 2 to 10 and 2 to 11 for a CPF. */
const CNPJ_WEIGHTS = 9;

/** The text with its two check digits (modulo 11). `most`: the largest weight of the first one. */
function checked(text: string, most: number): string {
  const first = text + checkDigit(text, most);
  return first + checkDigit(first, most === CNPJ_WEIGHTS ? most : most + 1);
}

function checkDigit(text: string, most: number): number {
  let sum = 0;
  for (let at = text.length - 1, weight = 2; at >= 0; at--, weight = weight === most ? 2 : weight + 1)
    sum += (text.charCodeAt(at) - 48) * weight;
  const rest = sum % 11;
  return rest < 2 ? 0 : 11 - rest;
}

function hex(bits: number): string {
  const digits = HEX_DIGITS as string[];
  return `${digits[(bits >>> 24) & 255]}${digits[(bits >>> 16) & 255]}${digits[(bits >>> 8) & 255]}${digits[bits & 255]}`;
}

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}
