import type { ComponentTypeDefinition } from '@ares/protocol';
import type { DevicePublicKey } from '@ares/protocol/offline-tokens';
import { type SqlBool, sql } from 'kysely';
import { type Caller, isAdmin } from '../accounts/types.ts';
import type { DeviceAccess } from '../devices/types.ts';
import type { Queries } from '../ports/database.ts';
import type { TokenRow } from './types.ts';

/** Issued offline tokens. */
export const tokenRepository = {
  /** The running assignment of the owner, with what is attached. `undefined` when it has ended. */
  async assignment(
    queries: Queries,
    assignmentId: number,
  ): Promise<{ readonly number: number; readonly lifeCycle: string } | undefined> {
    return await queries
      .selectFrom('assignments as a')
      .innerJoin('devices as d', 'd.id', 'a.device_id')
      .where('a.id', '=', assignmentId)
      .where('a.ended_at', 'is', null)
      .select(['a.number', 'd.life_cycle as lifeCycle'])
      .executeTakeFirst();
  },

  /** Component types that are attached. */
  async attachedTypes(queries: Queries, assignmentId: number): Promise<ComponentTypeDefinition[]> {
    const rows = await queries
      .selectFrom('attached_components as c')
      .innerJoin('supported_components as s', 's.id', 'c.component_type_id')
      .where('c.assignment_id', '=', assignmentId)
      .where('c.detached_at', 'is', null)
      .select('s.definition')
      .execute();
    return rows.map(({ definition }) => definition);
  },

  async countUnexpired(queries: Queries, assignmentId: number, now: Date): Promise<number> {
    const { count } = await queries
      .selectFrom('offline_tokens')
      .select((is) => is.fn.countAll<number>().as('count'))
      .where('assignment_id', '=', assignmentId)
      .where('expires_at', '>', now)
      .executeTakeFirstOrThrow();
    return Number(count);
  },

  async insert(
    trx: Queries,
    token: {
      readonly jti: string;
      readonly deviceId: number;
      readonly assignmentId: number;
      readonly keyId: number;
      readonly userId: number;
      readonly scope: readonly string[];
      readonly issuedAt: Date;
      readonly expiresAt: Date;
    },
  ): Promise<void> {
    await trx
      .insertInto('offline_tokens')
      .values({
        jti: token.jti,
        device_id: token.deviceId,
        assignment_id: token.assignmentId,
        device_key_id: token.keyId,
        user_id: token.userId,
        scope: [...token.scope],
        issued_at: token.issuedAt,
        expires_at: token.expiresAt,
      })
      .execute();
  },

  /** Revokes what counts; `jti` absent: everything. Only of the assignment that gave the right, for administrators of all. */
  async revoke(
    trx: Queries,
    wanted: { readonly access: DeviceAccess; readonly jti: string | undefined; readonly at: Date },
  ): Promise<readonly string[]> {
    const { access, jti, at } = wanted;
    const rows = await trx
      .updateTable('offline_tokens')
      .set({ revoked_at: at })
      .where('device_id', '=', access.deviceId)
      .$if(access.role !== 'admin', (query) => query.where('assignment_id', '=', access.assignmentId ?? -1))
      .$if(jti !== undefined, (query) => query.where('jti', '=', jti ?? ''))
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', at)
      .returning('jti')
      .execute();
    return rows.map((row) => row.jti);
  },

  /** Whether there is such a token that the caller may see. */
  async knows(queries: Queries, access: DeviceAccess, jti: string): Promise<boolean> {
    const found = await queries
      .selectFrom('offline_tokens')
      .select('jti')
      .where('jti', '=', jti)
      .where('device_id', '=', access.deviceId)
      .$if(access.role !== 'admin', (query) => query.where('assignment_id', '=', access.assignmentId ?? -1))
      .executeTakeFirst();
    return found !== undefined;
  },

  /** Device of a token, if the caller owns it in the token's assignment, or is an administrator. */
  async accessByToken(queries: Queries, caller: Caller, jti: string): Promise<DeviceAccess | undefined> {
    const admin = isAdmin(caller);
    const row = await queries
      .selectFrom('offline_tokens as t')
      .innerJoin('devices as d', 'd.id', 't.device_id')
      .leftJoin('assignments as a', (join) =>
        join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
      )
      .where('t.jti', '=', jti)
      .where(sql<SqlBool>`(${admin} or (a.user_id = ${caller.userId} and a.id = t.assignment_id))`)
      .select([
        'd.id as deviceId',
        'd.device_uuid as deviceUuid',
        'a.id as assignmentId',
        'a.user_id as userId',
      ])
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { userId, ...device } = row;
    return { ...device, role: userId === caller.userId ? 'owner' : 'admin' };
  },

  /** The key of a `kid`, with its device as it is now. */
  async keyWithDevice(
    queries: Queries,
    kid: string,
  ): Promise<
    | {
        readonly publicJwk: DevicePublicKey;
        readonly deactivated: boolean;
        readonly deviceUuid: string;
        readonly assignment: number | null;
      }
    | undefined
  > {
    return await queries
      .selectFrom('device_keys as k')
      .innerJoin('devices as d', 'd.id', 'k.device_id')
      .leftJoin('assignments as a', (join) =>
        join.onRef('a.device_id', '=', 'd.id').on('a.ended_at', 'is', null),
      )
      .where('k.kid', '=', kid)
      .select([
        'k.public_jwk as publicJwk',
        sql<boolean>`k.deactivated_at is not null`.as('deactivated'),
        'd.device_uuid as deviceUuid',
        'a.number as assignment',
      ])
      .executeTakeFirst();
  },

  /** Whether a token was issued and not revoked. */
  async stands(queries: Queries, jti: string): Promise<boolean> {
    const found = await queries
      .selectFrom('offline_tokens')
      .select('jti')
      .where('jti', '=', jti)
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    return found !== undefined;
  },

  async list(
    queries: Queries,
    wanted: {
      readonly access: DeviceAccess;
      readonly status: TokenRow['status'] | undefined;
      /** Place of the last row of the page before. */
      readonly before: { readonly issuedAt: Date; readonly jti: string } | undefined;
      readonly limit: number;
      readonly now: Date;
    },
  ): Promise<TokenRow[]> {
    const { access, status, before, limit, now } = wanted;
    const word = sql<TokenRow['status']>`case
      when t.revoked_at is not null then 'REVOKED'
      when k.deactivated_at is not null or a.ended_at is not null then 'ENDED'
      when t.expires_at <= ${now} then 'EXPIRED'
      else 'VALID' end`;
    return await queries
      .selectFrom('offline_tokens as t')
      .innerJoin('device_keys as k', 'k.id', 't.device_key_id')
      .innerJoin('assignments as a', 'a.id', 't.assignment_id')
      .where('t.device_id', '=', access.deviceId)
      .$if(access.role !== 'admin', (query) => query.where('t.assignment_id', '=', access.assignmentId ?? -1))
      .$if(status !== undefined, (query) => query.where(word, '=', status ?? 'VALID'))
      .$if(before !== undefined, (query) =>
        query.where(sql<SqlBool>`(t.issued_at, t.jti) < (${before?.issuedAt}, ${before?.jti}::uuid)`),
      )
      .orderBy('t.issued_at', 'desc')
      .orderBy('t.jti', 'desc')
      .limit(limit + 1)
      .select([
        't.jti',
        't.scope',
        'k.kid',
        word.as('status'),
        't.issued_at as issuedAt',
        't.expires_at as expiresAt',
        't.revoked_at as revokedAt',
      ])
      .execute();
  },
};
