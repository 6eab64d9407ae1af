import { Problem } from '../platform/problem.js';

/** UTF-16 units of a path that an answer shows. */
const MAX_PATH = 200;

/** 409: a client of this id is or was registered, here or by somebody else: ids are unique over all companies. */
export class ClientTaken extends Problem {
  constructor() {
    super(409, 'EVENT_CLIENT.TAKEN', 'this client_id is taken; choose another one');
  }
}

/** 409: what every process has in memory of a company is limited. */
export class TooManyClients extends Problem {
  static readonly sample = (): Problem => new TooManyClients(10_000);

  constructor(most: number) {
    super(409, 'EVENT_CLIENT.TOO_MANY', `a company has at most ${most} clients; delete one that is not needed`);
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

/** 409: what every process has in memory of a company is limited. */
export class TooManyTypes extends Problem {
  static readonly sample = (): Problem => new TooManyTypes('have at most 1000 versions');

  /** @param limit What the types of a company have or take together. */
  constructor(limit: string) {
    super(409, 'EVENT_TYPE.TOO_MANY', `the types of a company ${limit} together; delete a type that is not needed`);
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

/** 400: what came is no event, or names no client. */
export class EnvelopeInvalid extends Problem {
  static readonly sample = (): Problem => new EnvelopeInvalid('event_type');

  /** @param field Which field, and what of it; nothing of its content. */
  constructor(field: string) {
    super(400, 'EVENT.INVALID_ENVELOPE', `the envelope is not valid: ${field}`);
  }
}

/** 404: no living client has this id, or none for which the caller may send or ask. */
export class UnregisteredTenant extends Problem {
  constructor() {
    super(404, 'EVENT.UNREGISTERED_TENANT', 'there is no such client');
  }
}

/** 409: the client has an event with this id, of another type or with another message. That one stays. */
export class EventConflict extends Problem {
  static readonly sample = (): Problem => new EventConflict('evt_1');

  constructor(id: string) {
    super(409, 'EVENT.CONFLICT', 'an event with this id is stored already, and has other content', { id });
  }
}

/** 413: the body is over the limit of its route. */
export class EventTooLarge extends Problem {
  constructor() {
    super(413, 'EVENT.TOO_LARGE', 'the body is over the limit of 4 MiB');
  }
}

/** 422: the company of the client has no such type, or not this version of it. */
export class UnknownEventType extends Problem {
  static readonly sample = (): Problem => new UnknownEventType('user-app, version 3');

  /** @param type Name and version. */
  constructor(type: string) {
    super(422, 'EVENT.UNKNOWN_TYPE', `this type is not registered: ${type}`);
  }
}

/** 422: the message cannot be kept, or the schema of its type refuses it. */
export class PayloadInvalid extends Problem {
  static readonly sample = (): Problem => new PayloadInvalid('/age minimum');

  /** @param where Places and keywords. */
  constructor(where: string) {
    super(422, 'EVENT.INVALID_PAYLOAD', `the message is not valid: ${where}`);
  }
}

/** 404: quarantine has no such message, or none of a company of which the caller is a member. */
export class QuarantineNotFound extends Problem {
  constructor() {
    super(404, 'QUARANTINE.NOT_FOUND', 'there is no such message in quarantine');
  }
}

/** 409: somebody has replayed or discarded it. */
export class QuarantineResolved extends Problem {
  constructor() {
    super(409, 'QUARANTINE.RESOLVED', 'this message was replayed or discarded before');
  }
}
