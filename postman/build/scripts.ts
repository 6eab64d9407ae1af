import type { Otherwise, Poll, Step } from '../flow/step.js';
import { answerSchema, type Contract, draft7, type Route } from './contract.js';

/** Lines of JavaScript, as a collection has them. */
type Script = string[];

/** Checks the answer's status, shape and meaning, then keeps what later requests need. */
export function testsOf(step: Step, route: Route | undefined, contract: Contract): Script {
  const schema = route && answerSchema(route.operation, step.status);
  const isJson = schema !== undefined || step.code !== undefined || route === undefined;
  const reads = isJson && !isPut(step) ? ['const body = pm.response.json();'] : [];
  const text = usesText(step) ? ['const text = pm.response.text();'] : [];
  const shape = schema ? shapeTest(JSON.stringify(draft7(schema, contract))) : [];
  const problem = step.code === undefined ? [] : problemTest(step.code);
  const meaning = [...Object.entries(step.tests ?? {}).flatMap(test), ...kept(step)];
  const whole = [
    ...test([`answers ${step.status}`, `pm.response.to.have.status(${step.status})`]),
    ...shape,
    ...problem,
    ...(step.poll ? polled(step.poll, meaning) : meaning),
  ];
  return [...reads, ...text, ...(step.otherwise ? unless(step.otherwise, whole) : whole)];
}

function isPut({ ask }: Step): boolean {
  return typeof ask !== 'string' && ask.method === 'PUT';
}

function usesText({ tests = {} }: Step): boolean {
  return Object.values(tests).some((check) => /\btext\b/.test(check));
}

function test([sentence, check]: [string, string]): Script {
  const lines = check.split('\n');
  if (lines.length === 1) return [`pm.test(${quoted(sentence)}, () => ${check});`];
  return [`pm.test(${quoted(sentence)}, () => {`, ...indented(lines), '});'];
}

function shapeTest(schema: string): Script {
  return [
    '// As the OpenAPI document has it.',
    `const schema = ${schema};`,
    ...test(['has the shape of the OpenAPI document', 'pm.response.to.have.jsonSchema(schema)']),
  ];
}

function problemTest(code: string): Script {
  return [
    ...test([
      'is a problem of RFC 9457',
      "pm.expect(pm.response.headers.get('content-type')).to.include('application/problem+json')",
    ]),
    ...test([`the code is ${code}`, `pm.expect(body.code).to.equal(${quoted(code)})`]),
  ];
}

function kept({ keep = {} }: Step): Script {
  return Object.entries(keep).map(([variable, value]) => `pm.collectionVariables.set(${quoted(variable)}, ${value});`);
}

/** Asks again until a condition holds, at most `tries` times. Only the last answer is checked by `meaning`. */
function polled({ until, tries, everyMs }: Poll, meaning: Script): Script {
  return [
    "const asked = Number(pm.collectionVariables.get('asked') || 0) + 1;",
    `if (!(${until}) && asked < ${tries}) {`,
    "  pm.collectionVariables.set('asked', asked);",
    '  pm.execution.setNextRequest(pm.info.requestName);',
    '  // A script ends when its timers have.',
    `  setTimeout(() => {}, ${everyMs});`,
    '} else {',
    "  pm.collectionVariables.set('asked', 0);",
    ...indented(meaning),
    '}',
  ];
}

function unless({ status, code, why, goTo }: Otherwise, whole: Script): Script {
  return [
    `if (pm.response.code === ${status} && body.code === ${quoted(code)}) {`,
    `  pm.test.skip(${quoted(why)}, () => {});`,
    ...(goTo === undefined ? [] : [`  pm.execution.setNextRequest(${quoted(goTo)});`]),
    '} else {',
    ...indented(whole),
    '}',
  ];
}

function indented(lines: Script): Script {
  return lines.map((line) => `  ${line}`);
}

function quoted(text: string): string {
  return text.includes("'") ? JSON.stringify(text) : `'${text}'`;
}
