import { Injectable } from '@nestjs/common';
import { errors, jwtVerify, SignJWT } from 'jose';
import { Config } from '../../platform/config.js';
import { TokenExpired, TokenInvalid } from '../accounts.errors.js';

/** How long a token lasts. */
export const TOKEN_LIFE_S = 3_600;
const ALGORITHM = 'HS256';
const ISSUER = 'disparo';

/** What a token says: whose it is, and the fingerprint of the password that it was given for. */
interface Claims {
  userId: string;
  fingerprint: string;
}

/** Signs and reads access tokens. */
@Injectable()
export class AccessTokens {
  constructor(private readonly config: Config) {}

  sign({ userId, fingerprint }: Claims): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    return new SignJWT({ fp: fingerprint })
      .setProtectedHeader({ alg: ALGORITHM })
      .setIssuer(ISSUER)
      .setSubject(userId)
      .setIssuedAt(now)
      .setExpirationTime(now + TOKEN_LIFE_S)
      .sign(this.config.jwtSecret);
  }

  /** Throws TokenExpired or TokenInvalid. Does not check whether the user still exists. */
  async read(token: string): Promise<Claims> {
    try {
      const { payload } = await jwtVerify(token, this.config.jwtSecret, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        requiredClaims: ['sub', 'exp', 'fp'],
      });
      return { userId: String(payload.sub), fingerprint: String(payload.fp) };
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new TokenExpired();
      if (error instanceof errors.JOSEError) throw new TokenInvalid();
      throw error;
    }
  }
}
