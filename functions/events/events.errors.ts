import { Problem } from '../platform/problem.js';

/** UTF-16 units of a path that an answer shows. */
const MAX_PATH = 200;

/** 409: a client of this id is or was registered, here or by somebody else: ids are unique over all companies. */
export class ClientTaken extends Problem {
  constructor() {
    super(409, 'EVENT_CLIENT.TAKEN', 'this client_id is taken; choose another one');
  }
}

/** 404: no living client has this id, or it is another company's. */
export class ClientNotFound extends Problem {
  constructor() {
    super(404, 'EVENT_CLIENT.NOT_FOUND', 'there is no such client');
  }
}

/** 404: no living type of the company has this name. */
export class TypeNotFound extends Problem {
  constructor() {
    super(404, 'EVENT_TYPE.NOT_FOUND', 'there is no such type');
  }
}

/** 409: a version that is registered never changes, not even after its type was deleted. */
export class VersionExists extends Problem {
  static readonly sample = (): Problem => new VersionExists(2);

  /** @param next The version that may be registered. */
  constructor(next: number) {
    super(409, 'EVENT_TYPE.VERSION_EXISTS', `this version exists, and never changes; the next one is ${next}`, {
      next,
    });
  }
}

/** 400: a JSON Schema that is none, or that is not taken. `path` is a JSON pointer into it, empty for the whole. */
export class SchemaInvalid extends Problem {
  static readonly sample = (): Problem => new SchemaInvalid('/properties/age/type', 'must be a type of JSON');

  constructor(path: string, reason: string) {
    const shown = path.length > MAX_PATH ? `${path.slice(0, MAX_PATH).toWellFormed()}...` : path;
    super(400, 'EVENT_TYPE.SCHEMA_INVALID', `${shown || 'the schema'} ${reason}`, { path: shown });
  }
}
