import { readdirSync, readFileSync } from 'node:fs';
import type { LanguageName } from '@disparo/contract/languages';
import { expect, test } from 'vitest';
import type { Results } from '../results.js';
import { rowsOf } from './rows.js';
import type { Row } from './table.js';
import { chartOf } from './write.js';

/** The run that the documents quote. Who quotes a new one there names it here. */
const QUOTED = '2026-11-24-full.json';
const RUN = JSON.parse(readFileSync(`bench/results/${QUOTED}`, 'utf8')) as Results;
const ROWS = rowsOf(RUN);

/** A file of the clone, as one line. */
function textOf(path: string): string {
  return readFileSync(path, 'utf8').replace(/\s+/g, ' ');
}

/** The first row of that name and size. */
function row(measured: string, numbers: number): Row {
  const found = ROWS.find((one) => one.measured.trim() === measured && one.numbers === numbers);
  if (!found) throw new Error(`${QUOTED} has no "${measured}" of ${numbers}`);
  return found;
}

/** The first number of a ratio: 41 of "41 x naive", 175 of "1/175 of naive". */
function ratio(measured: string, numbers: number): number {
  return Number(/^(?:1\/)?([\d.]+)/.exec(row(measured, numbers).ratio ?? '')?.[1]);
}

/** How many times naive: just started (`fresh`), and with its second campaign (`warm`). */
function timesNaive(language: LanguageName, numbers: number): { fresh: number; warm: number } {
  return {
    fresh: ratio(`${language} and naive`, numbers),
    warm: ratio(`${language}, warm, and naive`, numbers),
  };
}

function seconds(measured: string, numbers: number): number {
  return row(measured, numbers).seconds ?? Number.NaN;
}

/** Numbers a second. */
function rate(measured: string, numbers: number): number {
  return numbers / seconds(measured, numbers);
}

/** A whole number as English or Portuguese writes it. */
function whole(value: number, locale: 'en' | 'pt-BR'): string {
  return Math.round(value).toLocaleString(locale);
}

/** A number with `digits` decimals and a decimal comma. */
function comma(value: number, digits: number): string {
  return value.toFixed(digits).replace('.', ',');
}

const SIZES = [100_000, 1_000_000] as const;
const LANGUAGES = [
  ['rust', 'Rust'],
  ['go', 'Go'],
  ['typescript', 'TypeScript'],
] as const;
/** The only size that naive was measured with in the run that is quoted. */
const NAIVE_SIZE = 2_000;

/** What the questionnaire may call measured: each of its sentences with the word *medido* must be one of these. */
function measuredSentences(): string[] {
  const fresh = (language: LanguageName, numbers: number) => rate(`drain: ${language}`, numbers);
  const warm = (language: LanguageName, numbers: number) => rate(`drain, warm: ${language}`, numbers);
  const pt = (value: number) => whole(value, 'pt-BR');
  const [each, end] = [
    seconds('naive: publish, each confirm awaited', NAIVE_SIZE),
    seconds('naive: publish, confirms awaited at the end', NAIVE_SIZE),
  ];
  const cpu = (language: LanguageName) => comma((row(`drain: ${language}`, 100_000).cpuPerMillion ?? 0) / 10, 2);
  const idle = /^idle \+ (\d+) MB/.exec(row('upload: every chunk confirmed', 1_000_000).ratio ?? '')?.[1];
  const shares = (of: RegExp) =>
    LANGUAGES.map(([name]) => `${of.exec(row(`drain, warm: ${name}`, 100_000).ratio ?? '')?.[1]} %`);
  const list = ([first, second, third]: string[]) => `${first}, ${second} e ${third}`;
  const [rust, go, typescript] = LANGUAGES.map(([name]) =>
    comma(seconds(`first byte to enviado: ${name}`, 1_000_000), 1),
  );
  const quotient = (numbers: number, of: typeof fresh) => comma(of('rust', numbers) / of('typescript', numbers), 1);
  return [
    `na mesma linguagem, ficou ${timesNaive('typescript', 100_000).fresh} vezes mais rápido ao ser feito em lotes (*medido*`,
    `*Medido:* 2.000 mensagens publicadas no RabbitMQ levam ${comma(each, 2)} s quando se espera a confirmação de cada uma antes de mandar a próxima (${comma((each / NAIVE_SIZE) * 1_000, 2)} ms por mensagem) e ${comma(end, 2)} s quando se esperam todas no fim`,
    `*Medido:* as 500 mensagens de uma campanha de 100 mil números são publicadas e confirmadas em ${comma(seconds('ceiling Q: confirmed publishes', 100_000), 2)} s; 2.000 mensagens de um número cada uma levam ${comma(end, 2)} s`,
    `*Medido:* ao receber um arquivo de um milhão de números, a API ocupa ${idle} MB a mais`,
    `*Medido:* inserir 100 mil documentos em uma coleção com validador JSON Schema leva ${comma(seconds('ceiling M with the validator', 100_000), 2)} s; sem ele, ${comma(seconds('ceiling M: insert, one connection', 100_000), 2)} s`,
    `*Medido:* para 100 mil números, o consumidor em TypeScript gasta ${cpu('typescript')} s de processador; o consumidor em Go, que faz o mesmo trabalho, gasta ${cpu('go')} s`,
    '*Medido:* números por segundo, da fila cheia até os dois bancos',
    `*Medido:* a API recebe e publica um arquivo de 100 mil números em ${comma(seconds('upload: every chunk confirmed', 100_000), 2)} s; publicá-los um a um, no ritmo medido com 2.000, levaria ${ratio('upload and naive, each confirm awaited', 100_000)} vezes mais`,
    `lotes renderam ${timesNaive('typescript', 100_000).fresh} vezes; trocar TypeScript por Rust, entre ${quotient(100_000, warm)} e ${quotient(100_000, fresh)} vezes (*medido*)`,
    '*Medido*, em números por segundo, cada consumidor sozinho',
    `*Medido:* aquecidos e com 100 mil números, Rust, Go e TypeScript chegam a ${list(shares(/, (\d+) % with validator/))} do que o mongod aceita em uma única conexão com o validador da coleção, e a ${list(shares(/^(\d+) % of M/))} do que aceita sem ele`,
    `*medido*, com 2 núcleos para tudo, duas partições com dois consumidores fizeram ${comma(ratio('2 partitions, as many consumers: rust', 400_000), 2)} vez o ritmo de uma só`,
    `*medido* com 100 mil números e um consumidor recém-iniciado: Rust ${pt(fresh('rust', 100_000))} por segundo, Go ${pt(fresh('go', 100_000))}, TypeScript ${pt(fresh('typescript', 100_000))} (aquecido, ${pt(warm('typescript', 100_000))})`,
    `*medida* com 2.000 números, fez ${pt(rate('naive: drain', NAIVE_SIZE))} por segundo`,
    `um milhão de números leva, *medido*, ${rust} s com o consumidor em Rust, ${go} s em Go e ${typescript} s em TypeScript`,
  ];
}

test('the README quotes the published run', () => {
  const readme = textOf('README.md');
  for (const [language, title] of LANGUAGES) {
    const cells = SIZES.flatMap((numbers) => {
      const { fresh, warm } = timesNaive(language, numbers);
      const of = (measured: string, times: number) => `${whole(rate(measured, numbers), 'en')} (${times})`;
      return [of(`drain: ${language}`, fresh), of(`drain, warm: ${language}`, warm)];
    });
    expect(readme).toContain(`| ${title} | ${cells.join(' | ')} |`);
  }
  const naive = `${whole(rate('naive: drain', NAIVE_SIZE), 'en')} a second, measured with ${whole(NAIVE_SIZE, 'en')} numbers`;
  expect(readme).toContain(`The usual way did ${naive}`);
  const file = seconds('upload: every chunk confirmed', 100_000).toFixed(1);
  expect(readme).toContain(`A file of 100,000 numbers is accepted and confirmed by the broker in ${file} s`);
  expect(readme).toContain(`began at a load of ${RUN.load.begin.toFixed(1)}`);
});

test('every sentence of the questionnaire that says "medido" quotes the published run', () => {
  // The paragraph about the source of the figures explains the word itself.
  const answers = textOf('docs/questionario.md').replace(
    /Tudo o que traz a palavra \*medido\*|O que não diz \*medido\*/g,
    '',
  );
  const sentences = measuredSentences();
  for (const sentence of sentences) expect(answers).toContain(sentence);
  const said = sentences.reduce((text, sentence) => text.replace(sentence, ''), answers);
  expect(said).not.toMatch(/\*[Mm]edid[ao]s?:?\*/);
});

test('the tables of the questionnaire quote the published run and the size of naive', () => {
  const answers = textOf('docs/questionario.md');
  const pt = (value: number) => whole(value, 'pt-BR');
  const both = (language: LanguageName, numbers: number) => [
    pt(rate(`drain: ${language}`, numbers)),
    pt(rate(`drain, warm: ${language}`, numbers)),
  ];
  expect(answers).toContain(
    `um *ack* | ${pt(NAIVE_SIZE)} | ${pt(rate('naive: drain', NAIVE_SIZE))} | não medido | 1 |`,
  );
  for (const [language, title] of LANGUAGES) {
    const { fresh, warm } = timesNaive(language, 100_000);
    const cells = both(language, 100_000).join(' | ');
    expect(answers).toContain(`consumidor em ${title}, em lotes | 100.000 | ${cells} | ${fresh} a ${warm} vezes |`);
    expect(answers).toContain(`| ${title} | ${SIZES.flatMap((numbers) => both(language, numbers)).join(' | ')} |`);
  }
  const quotients = SIZES.flatMap((numbers) =>
    ['drain', 'drain, warm'].map((how) => rate(`${how}: rust`, numbers) / rate(`${how}: typescript`, numbers)),
  ).map((value) => `${comma(value, 1)} ${value < 2 ? 'vez' : 'vezes'}`);
  expect(answers).toContain(`| Rust em relação a TypeScript | ${quotients.join(' | ')} |`);
  const [fresh, warm, , warmMillion] = quotients;
  expect(answers).toContain(`a vantagem do Rust cai de ${fresh?.split(' ')[0]} para ${warm}`);
  expect(answers).toContain(`sobra o custo de gerar o resto: ${warmMillion}.`);
});

test('each of the four questions begins with an answer of ten lines at most', () => {
  const questions = readFileSync('docs/questionario.md', 'utf8')
    .split(/^## \d\. /m)
    .slice(1);
  const answers = questions.map((question) => question.split('\n\n').find((part) => part.startsWith('**Resposta.**')));
  expect(answers.map((answer) => answer !== undefined && answer.split('\n').length <= 10)).toEqual(Array(4).fill(true));
});

test('each chart is that of its run, and latest.svg that of the newest run of everything', () => {
  const runs = readdirSync('bench/results')
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({ file, run: JSON.parse(readFileSync(`bench/results/${file}`, 'utf8')) as Results }))
    .filter(({ run }) => run.run === 'full' || run.run === 'default')
    .toSorted((a, b) => a.run.begun.localeCompare(b.run.begun));
  expect(runs.map(({ file }) => file)).toContain(QUOTED);
  for (const { file, run } of runs)
    expect(readFileSync(`bench/results/${file.replace('.json', '.svg')}`, 'utf8')).toBe(chartOf(run));
  expect(readFileSync('bench/results/latest.svg', 'utf8')).toBe(chartOf(runs.at(-1)?.run as Results));
});

test('the decision on two batches quotes the published run', () => {
  const [rust, go] = [ratio('drain: rust', 100_000), ratio('drain: go', 100_000)];
  expect(textOf('docs/decisions/0008-two-batches-under-way.md')).toContain(
    `the run in \`bench/results/\` has ${rust} % and ${go} %`,
  );
});
