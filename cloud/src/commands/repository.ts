import type { CommandResult } from '@ares/protocol';
import { type SqlBool, sql } from 'kysely';
import { type Page, toPage } from '../database/paging.ts';
import type { Queries } from '../ports/database.ts';
import { isOwn } from '../telemetry/own-assignments.ts';
import {
  type CommandPosition,
  type CommandQuery,
  type CommandRow,
  type CommandTarget,
  NO_ANSWER,
  type UnsentCommand,
} from './types.ts';

const BATCH = 200;
/** A device may need so long to try another network and to come back from it. */
const WIFI_CHANGE_MS = 15 * 60_000;
/** Sealed as they are, Wi-Fi credentials are kept no longer than they are needed. */
const WITHOUT_CREDENTIALS = sql<string>`case when component_id is null then '' else jws end`;

/** Commands and what became of them. */
export const commandRepository = {
  async targets(queries: Queries, assignmentId: number): Promise<CommandTarget[]> {
    return await queries
      .selectFrom('attached_components as c')
      .innerJoin('supported_components as s', 's.id', 'c.component_type_id')
      .where('c.assignment_id', '=', assignmentId)
      .where('c.detached_at', 'is', null)
      .orderBy('c.id')
      .select(['c.id as componentId', 's.component_type as componentType', 's.definition'])
      .execute();
  },

  /**
   * `undefined` when it is not the device's running assignment any more. In a transaction it does not end before that
   * one does: so what ends it sees the command, and none is left behind.
   */
  async assignment(
    queries: Queries,
    assignmentId: number,
  ): Promise<{ number: number; lifeCycle: string } | undefined> {
    return await queries
      .selectFrom('assignments as a')
      .innerJoin('devices as d', 'd.id', 'a.device_id')
      .where('a.id', '=', assignmentId)
      .where('a.ended_at', 'is', null)
      .select(['a.number', 'd.life_cycle as lifeCycle'])
      .forShare('a')
      .executeTakeFirst();
  },

  /** The next number of the component; its row stays locked until the transaction ends. */
  async nextSeq(queries: Queries, componentId: number): Promise<number | undefined> {
    const row = await queries
      .updateTable('attached_components')
      .set({ command_seq: sql`command_seq + 1` })
      .where('id', '=', componentId)
      .where('detached_at', 'is', null)
      .returning('command_seq as seq')
      .executeTakeFirst();
    return row?.seq;
  },

  /**
   * The next number of the orders to change the Wi-Fi; `undefined` when the assignment has ended. Its row stays locked
   * until the transaction ends, so ask for it before {@link assignment} takes the weaker lock.
   */
  async nextWifiSeq(queries: Queries, assignmentId: number): Promise<number | undefined> {
    const row = await queries
      .updateTable('assignments')
      .set({ wifi_seq: sql`wifi_seq + 1` })
      .where('id', '=', assignmentId)
      .where('ended_at', 'is', null)
      .returning('wifi_seq as seq')
      .executeTakeFirst();
    return row?.seq;
  },

  /** The secret that the device of a running assignment has now. */
  async sharedSecret(
    queries: Queries,
    assignmentId: number,
  ): Promise<{ readonly n: number; readonly sealed: Buffer } | undefined> {
    return await queries
      .selectFrom('assignment_secrets as s')
      .innerJoin('assignments as a', (join) =>
        join.onRef('a.id', '=', 's.assignment_id').onRef('a.secret_n', '=', 's.n'),
      )
      .where('a.id', '=', assignmentId)
      .select(['s.n', 's.sealed'])
      .executeTakeFirst();
  },

  async insert(
    queries: Queries,
    row: {
      readonly id: string;
      readonly deviceId: number;
      readonly assignmentId: number;
      /** Null: for the device itself. */
      readonly componentId: number | null;
      readonly userId: number;
      readonly action: string;
      readonly args: Readonly<Record<string, unknown>>;
      readonly seq: number;
      readonly topic: string;
      readonly jws: string;
      readonly createdAt: Date;
      readonly expiresAt: Date;
    },
  ): Promise<void> {
    await queries
      .insertInto('commands')
      .values({
        id: row.id,
        device_id: row.deviceId,
        assignment_id: row.assignmentId,
        component_id: row.componentId,
        user_id: row.userId,
        action: row.action,
        args: JSON.stringify(row.args),
        seq: row.seq,
        topic: row.topic,
        jws: row.jws,
        created_at: row.createdAt,
        expires_at: row.expiresAt,
      })
      .execute();
  },

  async markPublished(queries: Queries, ids: readonly string[], at: Date): Promise<void> {
    if (ids.length === 0) return;
    await queries
      .updateTable('commands')
      .set({ published_at: at })
      .where('id', 'in', [...ids])
      .where('published_at', 'is', null)
      .execute();
  },

  /** Orders that were committed and never handed to the broker. */
  unpublished: (queries: Queries, now: Date): Promise<UnsentCommand[]> =>
    pending(queries, now).where('c.published_at', 'is', null).limit(BATCH).execute(),

  /** Orders that the device may not have heard. */
  pendingOf: (queries: Queries, deviceId: number, now: Date): Promise<UnsentCommand[]> =>
    pending(queries, now).where('c.device_id', '=', deviceId).limit(BATCH).execute(),

  /** The last word of the device on its commands; answers whose status changed. */
  async finish(
    queries: Queries,
    device: { readonly deviceId: number; readonly assignmentId: number },
    result: CommandResult,
    at: Date,
  ): Promise<boolean> {
    const { numUpdatedRows } = await queries
      .updateTable('commands')
      .set({
        status: result.outcome,
        code: result.code ?? null,
        detail: result.detail ?? null,
        verified: result.verified ?? null,
        lease_ends_at: result.leaseEndsAt === undefined ? null : new Date(result.leaseEndsAt),
        finished_at: at,
        jws: WITHOUT_CREDENTIALS,
      })
      .where('id', '=', result.commandId)
      .where('device_id', '=', device.deviceId)
      .where('assignment_id', '=', device.assignmentId)
      .where((is) => is.or([is('status', '=', 'PENDING'), is('code', '=', NO_ANSWER)]))
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  },

  /** PENDING commands whose time to begin ended before `before` become EXPIRED; answers which. */
  async giveUp(queries: Queries, before: Date, at: Date): Promise<string[]> {
    const rows = await queries
      .updateTable('commands')
      .set({
        status: 'EXPIRED',
        code: NO_ANSWER,
        detail: 'The device did not answer in time. If it did act, its report will correct this.',
        finished_at: at,
        jws: WITHOUT_CREDENTIALS,
      })
      .where('id', 'in', (some) =>
        some
          .selectFrom('commands')
          .where('status', '=', 'PENDING')
          .where((is) =>
            is.or([
              is('expires_at', '<', before).and('component_id', 'is not', null),
              is('expires_at', '<', new Date(before.getTime() - WIFI_CHANGE_MS)),
            ]),
          )
          .orderBy('expires_at')
          .limit(BATCH)
          .forUpdate()
          .skipLocked()
          .select('id'),
      )
      .where('status', '=', 'PENDING')
      .returning('id')
      .execute();
    return rows.map(({ id }) => id);
  },

  async find(queries: Queries, id: string): Promise<CommandRow | undefined> {
    return await shown(queries).where('c.id', '=', id).executeTakeFirst();
  },

  /** Newest first. `userId` limits them to assignments that are or were that person's. */
  async list(
    queries: Queries,
    scope: { readonly deviceId: number; readonly userId: number | undefined },
    { status, after, limit }: CommandQuery,
  ): Promise<Page<CommandRow>> {
    const rows = await shown(queries)
      .where('c.device_id', '=', scope.deviceId)
      .$if(status !== undefined, (query) => query.where('c.status', '=', status!))
      .$if(after !== undefined, (query) => {
        const [createdAtMs, seq, id] = after!;
        return query.where(
          sql<SqlBool>`(c.created_at, c.seq, c.id) < (${new Date(createdAtMs)}, ${seq}, ${id})`,
        );
      })
      .$if(scope.userId !== undefined, (query) => query.where(isOwn('c.assignment_id', scope.userId ?? -1)))
      .orderBy('c.created_at', 'desc')
      .orderBy('c.seq', 'desc')
      .orderBy('c.id', 'desc')
      .select('c.seq')
      .limit(limit + 1)
      .execute();
    return toPage(rows, limit, {
      positionOf: ({ createdAt, seq, id }): CommandPosition => [createdAt.getTime(), seq, id],
      toItem: ({ seq: _, ...row }) => row,
    });
  },
};

function pending(queries: Queries, now: Date) {
  return queries
    .selectFrom('commands as c')
    .innerJoin('assignments as a', 'a.id', 'c.assignment_id')
    .where('c.status', '=', 'PENDING')
    .where('c.expires_at', '>', now)
    .where('a.ended_at', 'is', null)
    .orderBy('c.component_id')
    .orderBy('c.seq')
    .select(['c.id', 'c.topic', 'c.jws']);
}

function shown(queries: Queries) {
  return queries
    .selectFrom('commands as c')
    .leftJoin('attached_components as a', 'a.id', 'c.component_id')
    .leftJoin('supported_components as s', 's.id', 'a.component_type_id')
    .select([
      'c.id',
      sql<number>`coalesce(c.component_id, 0)`.as('componentId'),
      sql<string>`coalesce(s.component_type, 'wifi')`.as('componentType'),
      'c.action',
      'c.args',
      'c.status',
      'c.code',
      'c.detail',
      'c.verified',
      'c.lease_ends_at as leaseEndsAt',
      'c.created_at as createdAt',
      'c.expires_at as expiresAt',
      'c.finished_at as finishedAt',
    ]);
}
