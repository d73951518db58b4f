import { isUuid } from '@ares/protocol';
import { type Expression, sql } from 'kysely';
import type { Queries } from '../ports/database.ts';
import { accounts, toAccount } from './repository.ts';
import type { ManagedAccount, RoleName } from './types.ts';

export interface UserFilter {
  readonly email?: string | undefined;
  readonly role?: RoleName | undefined;
  readonly suspended?: boolean | undefined;
}
export type UserSort = 'email' | '-email' | 'createdAt' | '-createdAt';

/** Where a page ends: the value it is sorted by, and the id. */
export type UserPosition = readonly [string, number];

/** Accounts with what administrators see of them. */
export const administrationRepository = {
  async find(queries: Queries, userUuid: string): Promise<ManagedAccount | undefined> {
    if (!isUuid(userUuid)) return undefined;
    return toManaged(await managed(queries).where('users.user_uuid', '=', userUuid).executeTakeFirst());
  },

  async list(
    queries: Queries,
    options: { filter: UserFilter; sort: UserSort; after: UserPosition | undefined; limit: number },
  ): Promise<readonly ManagedAccount[]> {
    const { filter, sort, after, limit } = options;
    const down = sort.startsWith('-');
    const column: Expression<string | Date> = sort.endsWith('email')
      ? sql<string>`users.email collate "C"`
      : sql<Date>`date_trunc('milliseconds', users.created_at)`;
    const type = sql.raw(sort.endsWith('email') ? 'text' : 'timestamptz');
    let query = managed(queries)
      .orderBy(column, down ? 'desc' : 'asc')
      .orderBy('users.id', down ? 'desc' : 'asc')
      .limit(limit);
    if (after !== undefined) {
      const [value, id] = after;
      const than = sql.raw(down ? '<' : '>');
      query = query.where(sql<boolean>`(${column}, users.id) ${than} (${value}::${type}, ${id})`);
    }
    if (filter.email !== undefined) {
      query = query.where(sql<boolean>`position(${filter.email} in users.email) > 0`);
    }
    if (filter.suspended !== undefined) {
      query = query.where('users.suspended_at', filter.suspended ? 'is not' : 'is', null);
    }
    if (filter.role !== undefined) {
      query = query.where(({ exists, selectFrom }) =>
        exists(
          selectFrom('user_roles as held')
            .innerJoin('roles as named', 'named.id', 'held.role_id')
            .whereRef('held.user_id', '=', 'users.id')
            .where('named.name', '=', filter.role!)
            .select('held.user_id'),
        ),
      );
    }
    return (await query.execute()).map((row) => toManaged(row)!);
  },
};

function managed(queries: Queries) {
  return accounts(queries)
    .where('users.deleted_at', 'is', null)
    .select((from) => [
      from
        .selectFrom('assignments')
        .whereRef('assignments.user_id', '=', 'users.id')
        .where('assignments.ended_at', 'is', null)
        .select((column) => column.fn.countAll<number>().as('count'))
        .as('devices'),
      from
        .selectFrom('sessions')
        .whereRef('sessions.user_id', '=', 'users.id')
        .select((column) => column.fn.max('sessions.created_at').as('at'))
        .as('last_sign_in'),
    ]);
}

type ManagedRow = NonNullable<Parameters<typeof toAccount>[0]> & {
  devices: number | null;
  last_sign_in: Date | null;
};

function toManaged(row: ManagedRow | undefined): ManagedAccount | undefined {
  const account = toAccount(row);
  return account && { ...account, devices: row?.devices ?? 0, lastSignIn: row?.last_sign_in ?? null };
}
