/** Whose token or key a request sends: that of a person, of a collector of Pix, a forged one, or none. */
export type Caller = 'ana' | 'bia' | 'eva' | 'collector' | 'nobody' | 'forger';

/** Another answer that a request may have, instead of the one that it is to show. */
export interface Otherwise {
  status: number;
  code: string;
  /** Shown instead of the tests. */
  why: string;
  /** The name of the next request in this case. Without it the following one is next. */
  goTo?: string;
}

/** A request is repeated until `until`, a JavaScript expression over `body`, holds, but at most `tries` times. */
export interface Poll {
  until: string;
  tries: number;
  everyMs: number;
}

/** A request that is no operation of the OpenAPI document. */
export interface RawRequest {
  method: string;
  /** The whole URL with variables, from {{base_url}} on. */
  url: string;
  description: string;
  /** A body that is sent as text. */
  text?: string;
}

/** One request of the collection. All that is not set here comes from the OpenAPI document. */
export interface Step {
  /** Unique in the whole collection: the next request is set by its name. */
  name: string;
  /** An operationId, or a request that is no operation. */
  ask: string | RawRequest;
  /** Added to the description of the document. */
  note?: string;
  as?: Caller;
  /** Parameters of the path, by name. */
  path?: Record<string, string>;
  query?: Record<string, string>;
  /** Parameters by name; and `Accept`, which is no parameter in OpenAPI. */
  headers?: Record<string, string>;
  /**
   * Fields on top of the document's example of a JSON body; undefined leaves a field out. A variable whose name ends with
   * _json stands for JSON and not for a string.
   */
  json?: Record<string, unknown>;
  /** JSON in place of these fields, as a whole: a variable that a script has made, for instance to sign it. */
  raw?: string;
  /** A form in place of JSON, in the same way; `file` is a path. */
  form?: Record<string, string | undefined>;
  /** The script before the request, by lines. */
  before?: string[];
  status: number;
  /** The code of the expected problem. */
  code?: string;
  otherwise?: Otherwise;
  poll?: Poll;
  /** Variables to set, each with a JavaScript expression over `body` for its value. */
  keep?: Record<string, string>;
  /** The meaning of the answer: a sentence, and JavaScript over `body` (JSON) or `text`, and `pm`, that tests it. */
  tests?: Record<string, string>;
}

/** Requests that belong together, in order. */
export interface Folder {
  name: string;
  description: string;
  steps: Step[];
}
