import { Problem } from '../platform/problem.js';

/** 404: no living endpoint has this id, or it is another company's. */
export class EndpointNotFound extends Problem {
  constructor() {
    super(404, 'ENDPOINT.NOT_FOUND', 'there is no such endpoint');
  }
}

/** 400: no request may go to this URL. */
export class UrlRefused extends Problem {
  static readonly sample = (): Problem => new UrlRefused('must start with https://');

  /** @param why What is wrong with it, in words that follow "the url". */
  constructor(why: string) {
    super(400, 'ENDPOINT.URL_REFUSED', `the url ${why}`);
  }
}

/** 409: each event is compared with all endpoints of its company. */
export class TooManyEndpoints extends Problem {
  static readonly sample = (): Problem => new TooManyEndpoints(100);

  constructor(most: number) {
    super(409, 'ENDPOINT.TOO_MANY', `a company has at most ${most} endpoints; delete one that is not needed`);
  }
}

/** 404: the company of the endpoint has no such event, or the endpoint neither gets it nor ever got it. */
export class DeliveryNotFound extends Problem {
  constructor() {
    super(404, 'DELIVERY.NOT_FOUND', 'there is no such event for this endpoint');
  }
}
