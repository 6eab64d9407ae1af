import { createHash } from 'node:crypto';
import { insomniaScript } from './insomnia-scripts.js';

/** What is taken from the Postman collection, which `collectionOf` makes. */
export interface PostmanCollection {
  info: { name: string; description: string };
  auth: PostmanAuth;
  variable: { key: string; value: string }[];
  item: { name: string; description: string; item: PostmanItem[] }[];
}

interface PostmanItem {
  name: string;
  event: { listen: string; script: { exec: string[] } }[];
  request: {
    method: string;
    header: Pair[];
    url: { raw: string; query?: Pair[]; variable?: Pair[] };
    description: string;
    auth?: PostmanAuth;
    body?: { mode: string; raw?: string; options?: { raw: { language: string } }; formdata?: (Pair & FormField)[] };
  };
}

interface Pair {
  key: string;
  value: string;
  description?: string;
  disabled?: boolean;
}

interface FormField {
  type: string;
  src?: string;
}

interface PostmanAuth {
  type: string;
  bearer?: { value: string }[];
}

type Json = Record<string, unknown>;

const SOURCE = 'disparo';
/** Any time: a file that is built twice is the same. */
const DATE = '2026-01-01T00:00:00.000Z';
const VARIABLE = /\{\{(\w+)\}\}/g;
/** Of a raw body, by Postman's word for its language. */
const MIME_TYPES: Record<string, string> = { json: 'application/json', text: 'text/plain' };

const ABOUT = `Every route of Disparo, in the order in which one tries them.

**To run it**: start the API and a consumer (\`npm start\`), import this file, and send the requests from the top, or run them all
(*Run Collection*). For another address, change \`base_url\` of the base environment.

Requests hand on ids and tokens in variables of the base environment, so send them in order. Insomnia opens files of allowed
folders only: in requests with a file, choose \`postman/numeros.txt\` of the clone, or allow its folder (*Preferences, General*).
E-mails and the CNPJ are made anew each time: it can be run again and again. Bodies, parameters and descriptions are those of
\`/api/openapi.json\`; this file is built from it and from the same steps as the collection for Postman
(\`npm run postman -- build\`).`;

/** The collection as an export of Insomnia, format 4, which all its versions import. */
export function insomniaOf({ info, auth, variable, item }: PostmanCollection): Json {
  const workspace = idOf('wrk', info.name);
  const folders = item.flatMap(({ name, description, item: items }, at) => {
    const folder = idOf('fld', name);
    return [
      { _id: folder, _type: 'request_group', parentId: workspace, name, description, environment: {}, metaSortKey: at },
      ...items.map((each, place) => requestOf(each, { parentId: folder, metaSortKey: place, auth })),
    ];
  });
  return {
    _type: 'export',
    __export_format: 4,
    __export_date: DATE,
    __export_source: SOURCE,
    resources: [
      { _id: workspace, _type: 'workspace', parentId: null, name: info.name, description: ABOUT, scope: 'collection' },
      {
        _id: idOf('env', info.name),
        _type: 'environment',
        parentId: workspace,
        name: 'Base Environment',
        data: Object.fromEntries(variable.map(({ key, value }) => [key, value])),
        isPrivate: false,
      },
      ...folders,
    ],
  };
}

/** An id that stays the same as long as the name does, so that a second import replaces the first. */
function idOf(kind: string, name: string): string {
  return `${kind}_${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

interface Place {
  parentId: string;
  metaSortKey: number;
  /** Of the collection: that of each request without one of its own. */
  auth: PostmanAuth;
}

function requestOf({ name, event, request }: PostmanItem, { auth, ...place }: Place): Json {
  const { method, header, url, description } = request;
  const query = url.query ?? [];
  const pathParameters = (url.variable ?? []).map(({ key, value }) => ({ name: key, value: tagged(value) }));
  return {
    _id: idOf('req', name),
    _type: 'request',
    ...place,
    name,
    description,
    method,
    url: tagged(query.length > 0 ? (url.raw.split('?')[0] ?? '') : url.raw),
    parameters: query.map(named),
    pathParameters,
    headers: header.map(named),
    authentication: authOf(request.auth ?? auth),
    body: bodyOf(request.body),
    preRequestScript: scriptOf(event, 'prerequest'),
    afterResponseScript: scriptOf(event, 'test'),
    // A URL that is a variable as a whole is signed, so it is sent as it is.
    settingEncodeUrl: url.raw.includes('/'),
  };
}

/** Variables in the form of Insomnia: `{{ _.name }}`. */
function tagged(text: string): string {
  return text.replaceAll(VARIABLE, '{{ _.$1 }}');
}

function named({ key, value, description = '', disabled = false }: Pair): Json {
  return { name: key, value: tagged(value), description, disabled };
}

function authOf({ type, bearer }: PostmanAuth): Json {
  return type === 'bearer' ? { type, token: tagged(bearer?.[0]?.value ?? '') } : { type: 'none' };
}

function bodyOf(body: PostmanItem['request']['body']): Json {
  if (!body) return {};
  if (body.formdata)
    return {
      mimeType: 'multipart/form-data',
      params: body.formdata.map(({ src, type, ...pair }) =>
        src === undefined ? named(pair) : { name: pair.key, description: pair.description, type, fileName: src },
      ),
    };
  return { mimeType: MIME_TYPES[body.options?.raw.language ?? 'text'], text: tagged(body.raw ?? '') };
}

function scriptOf(events: PostmanItem['event'], listen: string): string {
  return insomniaScript(events.find((event) => event.listen === listen)?.script.exec ?? []);
}
