/** Whose token goes along: the variable that holds it, or none. */
export type Caller = 'ana' | 'bia' | 'eva' | 'nobody' | 'forger';

/** What a request may be answered with in place of what it is there to show. */
export interface Otherwise {
  status: number;
  code: string;
  /** Shown in the place of the tests. */
  why: string;
  /** The request that comes next then; without it the one after this. */
  goTo?: string;
}

/** Asked again until `condition`, a JavaScript expression over `body`, holds. */
export interface Poll {
  until: string;
  tries: number;
  everyMs: number;
}

/** A request that is no operation of the OpenAPI document. */
export interface RawRequest {
  method: string;
  /** With variables, from {{base_url}} on. */
  url: string;
  description: string;
  /** Sent as text. */
  text?: string;
}

/** One request of the collection. All that is not said here comes from the OpenAPI document. */
export interface Step {
  /** Of its own in the whole collection: requests go on by name. */
  name: string;
  /** An operationId, or what is to be asked in its place. */
  ask: string | RawRequest;
  /** Added to what the document says. */
  note?: string;
  as?: Caller;
  /** Parameters of the path, by name. */
  path?: Record<string, string>;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /**
   * On top of the example that the document has of a JSON body; undefined leaves a field out. A variable whose name ends
   * with _json stands for JSON and not for a string.
   */
  json?: Record<string, unknown>;
  /** A form in place of JSON, in the same way; `file` is a path. */
  form?: Record<string, string | undefined>;
  /** Script before the request, a line each. */
  before?: string[];
  status: number;
  /** Of the problem that is expected. */
  code?: string;
  otherwise?: Otherwise;
  poll?: Poll;
  /** Variables, and where in `body` their value is. */
  keep?: Record<string, string>;
  /** What the answer means: sentence and JavaScript over `body` (JSON) or `text`, and `pm`. */
  tests?: Record<string, string>;
}

/** Requests that belong together, in order. */
export interface Folder {
  name: string;
  description: string;
  steps: Step[];
}
