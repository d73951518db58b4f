import { isUuid } from '@ares/protocol';
import { sql } from 'kysely';
import type { NotificationSettings } from '../database/schema-accounts.ts';
import type { Queries } from '../ports/database.ts';
import type { Account, Profile, RoleName } from './types.ts';

const columns = [
  'users.id',
  'user_uuid',
  'email',
  'password_hash',
  'users.created_at',
  'suspended_at',
  'display_name',
  'locale',
  'time_zone',
  'notifications',
  'email_verified_at',
  'deleted_at',
  'users.version',
] as const;

/** Accounts and their roles. E-mails arrive normalised; what was erased is never found. */
export const accountRepository = {
  async findByEmail(queries: Queries, email: string): Promise<Account | undefined> {
    return toAccount(await accounts(queries).where('users.email', '=', email).executeTakeFirst());
  },

  async findByUuid(queries: Queries, userUuid: string): Promise<Account | undefined> {
    if (!isUuid(userUuid)) return undefined;
    return toAccount(await accounts(queries).where('users.user_uuid', '=', userUuid).executeTakeFirst());
  },

  async findById(queries: Queries, userId: number): Promise<Account | undefined> {
    return toAccount(await accounts(queries).where('users.id', '=', userId).executeTakeFirst());
  },

  /** Locks the account for the transaction; who merely refers to it, as an audit row does, need not wait. */
  async lockByUuid(queries: Queries, userUuid: string): Promise<Account | undefined> {
    if (!isUuid(userUuid)) return undefined;
    return toAccount(
      await accounts(queries)
        .where('users.user_uuid', '=', userUuid)
        .forNoKeyUpdate('users')
        .executeTakeFirst(),
    );
  },

  /** Waits also for whoever is about to refer to the account, so that nobody does afterwards. */
  async lockForDeletion(queries: Queries, userId: number): Promise<Account | undefined> {
    return toAccount(
      await accounts(queries).where('users.id', '=', userId).forUpdate('users').executeTakeFirst(),
    );
  },

  /** The account, if this session of it runs. */
  async findSignedIn(
    queries: Queries,
    { userUuid, sessionId, at }: { userUuid: string; sessionId: string; at: Date },
  ): Promise<Account | undefined> {
    if (!isUuid(userUuid) || !isUuid(sessionId)) return undefined;
    return toAccount(
      await accounts(queries)
        .innerJoin('sessions', 'sessions.user_id', 'users.id')
        .where('users.user_uuid', '=', userUuid)
        .where('sessions.id', '=', sessionId)
        .where('sessions.ended_at', 'is', null)
        .where('sessions.expires_at', '>', at)
        .where('users.suspended_at', 'is', null)
        .where('users.deleted_at', 'is', null)
        .executeTakeFirst(),
    );
  },

  /** `undefined` when the e-mail is taken. */
  async insert(
    queries: Queries,
    account: {
      email: string;
      passwordHash: string;
      verifiedAt?: Date | undefined;
      profile?: ProfileChange | undefined;
    },
  ): Promise<Account | undefined> {
    const row = await queries
      .insertInto('users')
      .values({
        email: account.email,
        password_hash: account.passwordHash,
        email_verified_at: account.verifiedAt ?? null,
        ...profileColumns(account.profile ?? {}),
      })
      .onConflict((conflict) => conflict.column('email').doNothing())
      .returning(columns.map((name) => (name.startsWith('users.') ? name.slice(6) : name) as 'id'))
      .executeTakeFirst();
    return toAccount(row && { ...(row as unknown as AccountRow), roles: [] });
  },

  async setPasswordHash(queries: Queries, userId: number, passwordHash: string): Promise<void> {
    await queries
      .updateTable('users')
      .set({ password_hash: passwordHash })
      .where('id', '=', userId)
      .execute();
  },

  /** Sets what is given and leaves the rest. */
  async setProfile(queries: Queries, userId: number, profile: ProfileChange): Promise<void> {
    const set = profileColumns(profile);
    if (Object.keys(set).length === 0) return;
    await queries
      .updateTable('users')
      .set((is) => ({ ...set, version: is('version', '+', 1) }))
      .where('id', '=', userId)
      .execute();
  },

  async setVerified(queries: Queries, userId: number, at: Date): Promise<void> {
    await queries
      .updateTable('users')
      .set({ email_verified_at: at })
      .where('id', '=', userId)
      .where('email_verified_at', 'is', null)
      .execute();
  },

  async setSuspended(queries: Queries, userId: number, at: Date | null): Promise<void> {
    await queries.updateTable('users').set({ suspended_at: at }).where('id', '=', userId).execute();
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

  async removeRole(queries: Queries, userId: number, role: RoleName): Promise<void> {
    await queries
      .deleteFrom('user_roles')
      .where('user_id', '=', userId)
      .where('role_id', 'in', (from) => from.selectFrom('roles').select('id').where('name', '=', role))
      .execute();
  },

  /** One transaction at a time changes who administers. Before any lock of an account: else two would wait for each other. */
  async lockAdministration(queries: Queries): Promise<void> {
    await sql`select pg_advisory_xact_lock(hashtext('ares-administration'))`.execute(queries);
  },

  /** How many can still act as prime administrator; under `lockAdministration`. */
  async countPrimeAdmins(queries: Queries): Promise<number> {
    const row = await queries
      .selectFrom('users')
      .innerJoin('user_roles', 'user_roles.user_id', 'users.id')
      .innerJoin('roles', 'roles.id', 'user_roles.role_id')
      .where('roles.name', '=', 'prime_admin')
      .where('suspended_at', 'is', null)
      .where('deleted_at', 'is', null)
      .select((column) => column.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return row.count;
  },
};

/** Every account that was not erased, with its roles. */
export function accounts(queries: Queries) {
  return queries
    .selectFrom('users')
    .where('users.erased_at', 'is', null)
    .select(columns)
    .select((from) =>
      from
        .selectFrom('user_roles')
        .innerJoin('roles', 'roles.id', 'user_roles.role_id')
        .whereRef('user_roles.user_id', '=', 'users.id')
        .select(sql<RoleName[]>`coalesce(array_agg(roles.name order by roles.name), '{}')`.as('names'))
        .as('roles'),
    );
}

type ProfileChange = { readonly [K in keyof Profile]?: Profile[K] | undefined };

interface AccountRow {
  id: number;
  user_uuid: string;
  email: string;
  password_hash: string;
  created_at: Date;
  suspended_at: Date | null;
  display_name: string | null;
  locale: string | null;
  time_zone: string | null;
  notifications: Partial<NotificationSettings>;
  email_verified_at: Date | null;
  deleted_at: Date | null;
  version: number;
  roles: RoleName[] | null;
}

export function toAccount(row: AccountRow | undefined): Account | undefined {
  return (
    row && {
      userId: row.id,
      userUuid: row.user_uuid,
      email: row.email,
      roles: row.roles ?? [],
      passwordHash: row.password_hash,
      createdAt: row.created_at,
      suspended: row.suspended_at !== null,
      emailVerified: row.email_verified_at !== null,
      deleted: row.deleted_at !== null,
      version: row.version,
      displayName: row.display_name,
      locale: row.locale,
      timeZone: row.time_zone,
      notifications: {
        signIn: row.notifications.signIn ?? false,
        alerts: row.notifications.alerts ?? true,
      },
    }
  );
}

function profileColumns({ displayName, locale, timeZone, notifications }: ProfileChange) {
  return {
    ...(displayName !== undefined && { display_name: displayName }),
    ...(locale !== undefined && { locale }),
    ...(timeZone !== undefined && { time_zone: timeZone }),
    ...(notifications !== undefined && { notifications: JSON.stringify(notifications) }),
  };
}
