import { isUuid } from '@ares/protocol';
import { sql } from 'kysely';
import type { Queries } from '../ports/database.ts';
import type { Account, Caller, RoleName } from './types.ts';

/** Accounts and their roles. E-mails arrive normalised. */
export const accountRepository = {
  async findByEmail(queries: Queries, email: string): Promise<Account | undefined> {
    return toAccount(await accounts(queries).where('users.email', '=', email).executeTakeFirst());
  },

  async findByUuid(queries: Queries, userUuid: string): Promise<Account | undefined> {
    if (!isUuid(userUuid)) return undefined;
    return toAccount(await accounts(queries).where('users.user_uuid', '=', userUuid).executeTakeFirst());
  },

  /** `undefined` when the e-mail is taken. */
  async insert(
    queries: Queries,
    account: { email: string; passwordHash: string },
  ): Promise<Account | undefined> {
    const row = await queries
      .insertInto('users')
      .values({ email: account.email, password_hash: account.passwordHash })
      .onConflict((conflict) => conflict.column('email').doNothing())
      .returning(['id', 'user_uuid', 'email', 'password_hash', 'created_at', 'suspended_at'])
      .executeTakeFirst();
    return toAccount(row && { ...row, roles: [] });
  },

  async setPasswordHash(queries: Queries, userId: number, passwordHash: string): Promise<void> {
    await queries
      .updateTable('users')
      .set({ password_hash: passwordHash })
      .where('id', '=', userId)
      .execute();
  },

  async addRoles(queries: Queries, userId: number, roles: readonly RoleName[]): Promise<void> {
    if (roles.length === 0) return;
    await queries
      .insertInto('user_roles')
      .columns(['user_id', 'role_id'])
      .expression((from) =>
        from
          .selectFrom('roles')
          .select([sql.lit(userId).as('user_id'), 'id as role_id'])
          .where('name', 'in', roles),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  },
};

function accounts(queries: Queries) {
  return queries
    .selectFrom('users')
    .select(['users.id', 'user_uuid', 'email', 'password_hash', 'users.created_at', 'suspended_at'])
    .select((from) =>
      from
        .selectFrom('user_roles')
        .innerJoin('roles', 'roles.id', 'user_roles.role_id')
        .whereRef('user_roles.user_id', '=', 'users.id')
        .select(sql<RoleName[]>`coalesce(array_agg(roles.name order by roles.name), '{}')`.as('names'))
        .as('roles'),
    );
}

function toAccount(
  row:
    | {
        id: number;
        user_uuid: string;
        email: string;
        password_hash: string;
        created_at: Date;
        suspended_at: Date | null;
        roles: RoleName[] | null;
      }
    | undefined,
): Account | undefined {
  return (
    row && {
      userId: row.id,
      userUuid: row.user_uuid,
      email: row.email,
      roles: row.roles ?? [],
      passwordHash: row.password_hash,
      createdAt: row.created_at,
      suspended: row.suspended_at !== null,
    }
  );
}

/** The part of an account that a request carries around. */
export function toCaller({ userId, userUuid, email, roles }: Account): Caller {
  return { userId, userUuid, email, roles };
}
