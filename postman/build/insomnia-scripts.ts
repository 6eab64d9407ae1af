/** `pm` where it stands alone. */
const PM = /\bpm\./g;
/** Insomnia's list of headers gives an object, by the name in the letter case in which it came. */
const HEADER = /\bpm\.response\.headers\.get\(('[\w-]+')\)/g;
/** Postman's script ends when its timers have; Insomnia's has to await them. */
const PAUSE = /^( *)setTimeout\(\(\) => \{\}, (\d+)\);$/;
const SCHEMA = /^( *)const schema = (\{.*\});$/;

/** A script of the Postman collection for Insomnia, which has the same objects by the name `insomnia`. */
export function insomniaScript(lines: readonly string[]): string {
  return lines
    .map((line) =>
      line
        .replace(SCHEMA, (_, indent: string, schema: string) => `${indent}const schema = ${withoutFormats(schema)};`)
        .replace(PAUSE, '$1await new Promise((resolve) => setTimeout(resolve, $2));')
        .replaceAll(HEADER, 'insomnia.response.headers.find(({ key }) => key.toLowerCase() === $1)?.value')
        .replaceAll(PM, 'insomnia.'),
    )
    .join('\n');
}

/** Insomnia's validator knows no format, and refuses a schema that has one. */
function withoutFormats(schema: string): string {
  const drop = (key: string, value: unknown): unknown =>
    key === 'format' && typeof value === 'string' ? undefined : value;
  return JSON.stringify(JSON.parse(schema, drop));
}
