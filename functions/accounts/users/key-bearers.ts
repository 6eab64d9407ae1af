import { applyDecorators, Injectable, SetMetadata } from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';

/** The metadata key of a route that takes keys of a module: what they begin with. */
export const TAKES_KEY = 'disparo:takes-key';

/** Finds the client of a key; undefined: the key is of nobody, or no longer valid. */
type FindClient = (key: string) => Promise<string | undefined>;

/** Whose keys there are, next to the tokens of users. Modules with keys of their own register how one is looked up. */
@Injectable()
export class KeyBearers {
  readonly #finders = new Map<string, FindClient>();

  /** Modules register when they are built. No key of one prefix may begin with another one. */
  add(prefix: string, find: FindClient): void {
    this.#finders.set(prefix, find);
  }

  /** The client of a key that begins with `prefix`. */
  async clientOf(prefix: string, key: string): Promise<string | undefined> {
    return this.#finders.get(prefix)?.(key);
  }
}

/**
 * Lets a route take `Authorization: Bearer` with a key that begins with `prefix`, too. Its client is then in
 * `request.clientId`, and there is no user. On any other route such a key is no token.
 */
export const TakesKey = (prefix: string): MethodDecorator =>
  applyDecorators(SetMetadata(TAKES_KEY, prefix), ApiSecurity('bearer'), ApiSecurity('key'));
