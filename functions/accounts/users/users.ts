import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import type { Page, PageQuery } from '../../platform/http/slices.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import { EmailTaken, LastOwner, NotYourself, TokenInvalid, UserNotFound, WrongPassword } from '../accounts.errors.js';
import type { Registration, UserChange } from '../accounts.schemas.js';
import { InvitationsRepository } from '../invitations/invitations.repository.js';
import { hashPassword } from './password.js';
import { PasswordAttempts } from './password-attempts.js';
import { type UserRow, UsersRepository } from './users.repository.js';

/** Users: register, see, change, delete. */
@Injectable()
export class Users {
  constructor(
    private readonly postgres: Postgres,
    private readonly users: UsersRepository,
    private readonly invitations: InvitationsRepository,
    private readonly attempts: PasswordAttempts,
  ) {}

  /** Throws EmailTaken. */
  async register({ email, password }: Registration): Promise<UserRow> {
    const user = { id: createId(), email, password: await hashPassword(password) };
    return this.postgres.transaction(async (sql) => {
      await this.#reserve(sql, user.id, email);
      return this.users.insertUser(sql, user);
    });
  }

  list(viewerId: string, page: PageQuery): Promise<Page<UserRow>> {
    return this.users.visibleUsers(this.postgres, viewerId, page);
  }

  /** Throws UserNotFound. */
  async find(viewerId: string, userId: string): Promise<UserRow> {
    const user = await this.users.visibleUser(this.postgres, viewerId, userId);
    if (!user) throw new UserNotFound();
    return user;
  }

  /**
   * Throws UserNotFound, NotYourself, WrongPassword, TooManyAttempts, EmailTaken, and TokenInvalid when the password was
   * changed meanwhile. A new password ends all tokens; a new e-mail ends the open invitations, which were for the old one.
   */
  async change(viewerId: string, userId: string, { current_password, ...change }: UserChange): Promise<UserRow> {
    await this.#requireYourself(viewerId, userId);
    const before = await this.users.credentials(this.postgres, userId);
    if (!before) throw new UserNotFound();
    if (!(await this.attempts.isRight(before.email, current_password, before.password))) throw new WrongPassword();
    const password = change.password === undefined ? undefined : await hashPassword(change.password);
    return this.postgres.transaction(async (sql) => {
      const now = await this.users.lockUser(sql, userId);
      if (!now) throw new UserNotFound();
      // The caller gave the password of before: a change in between has ended this token.
      if (now.password !== before.password) throw new TokenInvalid();
      if (change.email !== undefined) await this.#moveTo(sql, userId, change.email, now.email);
      return requiredRow(await this.users.updateUser(sql, userId, { email: change.email, password }));
    });
  }

  /** Throws UserNotFound, NotYourself, LastOwner. */
  async delete(viewerId: string, userId: string): Promise<void> {
    await this.#requireYourself(viewerId, userId);
    while (!(await this.postgres.transaction((sql) => this.#tryDelete(sql, userId))));
  }

  /** False: the user became owner of one more company meanwhile, which must be locked too, in order. */
  async #tryDelete(sql: Transaction, userId: string): Promise<boolean> {
    const locked = new Set(await this.users.lockOwnedCompanies(sql, userId));
    if (!(await this.users.lockUser(sql, userId))) throw new UserNotFound();
    // From here on nobody makes this user an owner (holdUser), and nobody changes the owners of what is locked.
    const owned = await this.users.ownedCompanies(sql, userId);
    if (owned.some(({ id }) => !locked.has(id))) return false;
    if (owned.some(({ owners }) => owners === 1)) throw new LastOwner();
    await this.users.deleteUser(sql, userId);
    await this.invitations.deleteOfUser(sql, userId);
    return true;
  }

  async #moveTo(sql: Transaction, userId: string, email: string, from: string): Promise<void> {
    await this.#reserve(sql, userId, email);
    if (email.toLowerCase() !== from.toLowerCase()) await this.invitations.deleteOfUser(sql, userId);
  }

  /** The e-mail is this user's until the transaction ends. Throws EmailTaken. */
  async #reserve(sql: Transaction, userId: string, email: string): Promise<void> {
    await this.users.lockEmail(sql, email);
    if (await this.users.isEmailTaken(sql, userId, email)) throw new EmailTaken();
  }

  async #requireYourself(viewerId: string, userId: string): Promise<void> {
    await this.find(viewerId, userId);
    if (viewerId !== userId) throw new NotYourself();
  }
}
