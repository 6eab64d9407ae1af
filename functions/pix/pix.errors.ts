import { Problem, type ProblemClass } from '../platform/problem.js';

/** 406: neither a message nor a list of messages is accepted; or a list is asked for again as one message. */
export class NotAcceptable extends Problem {
  constructor() {
    super(
      406,
      'PIX.NOT_ACCEPTABLE',
      'accept application/json for one message, or multipart/json for up to ten; an answer of several is repeated as such',
    );
  }
}

/** 429: six streams of the ISPB are open. */
export class TooManyStreams extends Problem {
  static readonly sample = (): Problem => new TooManyStreams(68);

  /** @param retryAfterS Seconds until the first of them would expire. */
  constructor(retryAfterS: number) {
    super(429, 'PIX.TOO_MANY_STREAMS', 'six streams of this ISPB are open; follow one of them, or end it', undefined, {
      'retry-after': String(retryAfterS),
    });
  }
}

/** 404: there never was such a stream of this ISPB, or it was closed more than seven days ago. */
export class StreamNotFound extends Problem {
  constructor() {
    super(404, 'PIX.STREAM_NOT_FOUND', 'there is no such stream of this ISPB');
  }
}

/** 410: the stream goes on with a later token. */
export class StreamSuperseded extends Problem {
  constructor() {
    super(410, 'PIX.STREAM_SUPERSEDED', 'this token is out of date; follow the Pull-Next of the last answer');
  }
}

/** 410: the stream was ended. */
export class StreamClosed extends Problem {
  constructor() {
    super(410, 'PIX.STREAM_CLOSED', 'this stream has ended; start another one');
  }
}

/** 410: nobody followed the stream in time. What it handed out last and was not told to be received waits again. */
export class StreamExpired extends Problem {
  constructor() {
    super(410, 'PIX.STREAM_EXPIRED', 'this stream has expired, and its last messages wait again; start another one');
  }
}

/** 401: the ISPB needs a key. */
export class KeyMissing extends Problem {
  constructor() {
    super(401, 'PIX.KEY_MISSING', 'send Authorization: Bearer and the api_key of this ISPB', undefined, {
      'www-authenticate': 'Bearer',
    });
  }
}

/** 401: the key is of no ISPB, or no longer valid. */
export class KeyInvalid extends Problem {
  constructor() {
    super(401, 'PIX.KEY_INVALID', 'this api_key is not valid', undefined, {
      'www-authenticate': 'Bearer error="invalid_token"',
    });
  }
}

/** 409: an ISPB is bound to one company for good. */
export class IspbTaken extends Problem {
  constructor() {
    super(409, 'PIX.ISPB_TAKEN', 'this ISPB is, or was, bound to another company');
  }
}

/** 404: the company has not bound this ISPB. */
export class IspbNotBound extends Problem {
  constructor() {
    super(404, 'PIX.ISPB_NOT_BOUND', 'the company has not bound this ISPB');
  }
}

/** What a stream is refused with. */
export const STREAM_ERRORS: readonly ProblemClass[] = [StreamNotFound, StreamSuperseded, StreamClosed, StreamExpired];
/** What a key is refused with; one of another ISPB is NotFound. */
export const KEY_ERRORS: readonly ProblemClass[] = [KeyMissing, KeyInvalid];
