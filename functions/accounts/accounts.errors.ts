import { Problem, type ProblemClass } from '../platform/problem.js';

/** There is no such user, or none that the caller may see. */
export class UserNotFound extends Problem {
  constructor() {
    super(404, 'USER.NOT_FOUND', 'there is no such user');
  }
}

/** Another living user has this e-mail, letter case aside. */
export class EmailTaken extends Problem {
  constructor() {
    super(409, 'USER.EMAIL_TAKEN', 'this e-mail is registered already');
  }
}

/** Only users themselves change or delete their account. */
export class NotYourself extends Problem {
  constructor() {
    super(403, 'USER.NOT_YOURSELF', 'only users themselves may do this');
  }
}

/** A change of e-mail or password came without the current password: a token alone, which may be stolen, is not enough. */
export class WrongPassword extends Problem {
  constructor() {
    super(403, 'USER.WRONG_PASSWORD', 'the current password is wrong');
  }
}

/** A living company keeps at least one owner. */
export class LastOwner extends Problem {
  constructor() {
    super(409, 'USER.LAST_OWNER', 'a company would be left without an owner; name another one or delete it first');
  }
}

/** There is no such company, or none that the caller is a member of. */
export class CompanyNotFound extends Problem {
  constructor() {
    super(404, 'COMPANY.NOT_FOUND', 'there is no such company');
  }
}

/** Only owners write. */
export class NotOwner extends Problem {
  constructor() {
    super(403, 'COMPANY.NOT_OWNER', 'only an owner of the company may do this');
  }
}

/** The caller has no open invitation to this company: there was none, or it was answered, taken back or has expired. */
export class InvitationNotFound extends Problem {
  constructor() {
    super(404, 'INVITATION.NOT_FOUND', 'there is no such invitation, or it has expired');
  }
}

/** Another living company has this CNPJ. */
export class DocumentTaken extends Problem {
  constructor() {
    super(409, 'COMPANY.DOCUMENT_TAKEN', 'this CNPJ is registered already');
  }
}

/** The document is no CNPJ. */
export class DocumentInvalid extends Problem {
  constructor() {
    super(400, 'COMPANY.DOCUMENT_INVALID', 'the document is not a CNPJ with its check digits');
  }
}

/** Wrong password or unknown e-mail: the answer is the same. */
export class InvalidCredentials extends Problem {
  constructor() {
    super(401, 'AUTH.INVALID_CREDENTIALS', 'e-mail or password is wrong');
  }
}

/** Too many failed logins for an e-mail. */
export class TooManyAttempts extends Problem {
  static readonly sample = (): Problem => new TooManyAttempts(42);

  constructor(retryAfterS: number) {
    super(429, 'AUTH.TOO_MANY_ATTEMPTS', 'too many failed logins for this e-mail; wait', undefined, {
      'retry-after': String(retryAfterS),
    });
  }
}

/** No bearer token came. */
export class TokenMissing extends Problem {
  constructor() {
    super(401, 'AUTH.TOKEN_MISSING', 'send Authorization: Bearer and the access token', undefined, {
      'www-authenticate': 'Bearer',
    });
  }
}

/** The token is not ours, or its user is deleted or has changed the password since. */
export class TokenInvalid extends Problem {
  constructor() {
    super(401, 'AUTH.TOKEN_INVALID', 'the access token is not valid; log in again', undefined, {
      'www-authenticate': 'Bearer error="invalid_token"',
    });
  }
}

/** The token was valid and has expired. */
export class TokenExpired extends Problem {
  constructor() {
    super(401, 'AUTH.TOKEN_EXPIRED', 'the access token has expired; log in again', undefined, {
      'www-authenticate': 'Bearer error="invalid_token", error_description="expired"',
    });
  }
}

/** The problems of every route that needs a login. */
export const TOKEN_ERRORS: readonly ProblemClass[] = [TokenMissing, TokenInvalid, TokenExpired];
