import type { Queries } from '../ports/database.ts';

/** An app that has the rights of its user now. */
export interface RunningApp {
  readonly appUuid: string;
  readonly userEmail: string;
  readonly serial: string;
  readonly notAfter: Date;
  readonly admitted: boolean;
}

/** Of one session at most so many; the one before may still be connected while an app renews. */
const CERTIFICATES_OF_A_SESSION = 2;

/** Certificates of apps. One runs until its end, unless its session, its user or it itself was ended before. */
export const appRepository = {
  /** Adds one and ends older ones of the session. */
  async add(
    queries: Queries,
    row: {
      appUuid: string;
      userId: number;
      sessionId: string | undefined;
      serial: string;
      at: Date;
      notAfter: Date;
      admitted: boolean;
    },
  ): Promise<void> {
    const { appUuid, userId, sessionId = null, serial, at, notAfter, admitted } = row;
    await queries
      .insertInto('app_certificates')
      .values({
        app_uuid: appUuid,
        user_id: userId,
        session_id: sessionId,
        serial,
        created_at: at,
        not_after: notAfter,
        admitted_at: admitted ? at : null,
        ended_at: null,
      })
      .execute();
    await queries
      .updateTable('app_certificates')
      .set({ ended_at: at })
      .where('app_uuid', 'in', (older) =>
        older
          .selectFrom('app_certificates')
          .select('app_uuid')
          .where('user_id', '=', userId)
          .where('session_id', 'is not distinct from', sessionId)
          .where('ended_at', 'is', null)
          .orderBy('created_at', 'desc')
          .offset(CERTIFICATES_OF_A_SESSION),
      )
      .execute();
  },

  async running(queries: Queries, now: Date): Promise<readonly RunningApp[]> {
    return (await running(queries, now).execute()).map(toApp);
  },

  async bySerial(queries: Queries, serial: string, now: Date): Promise<RunningApp | undefined> {
    const row = await running(queries, now).where('a.serial', '=', serial).executeTakeFirst();
    return row && toApp(row);
  },

  async admit(queries: Queries, appUuids: readonly string[], now: Date): Promise<void> {
    if (appUuids.length === 0) return;
    await queries
      .updateTable('app_certificates')
      .set({ admitted_at: now })
      .where('app_uuid', 'in', appUuids)
      .where('admitted_at', 'is', null)
      .execute();
  },

  async isAdmitted(queries: Queries, appUuid: string): Promise<boolean> {
    const row = await queries
      .selectFrom('app_certificates')
      .where('app_uuid', '=', appUuid)
      .select('admitted_at')
      .executeTakeFirst();
    return row?.admitted_at != null;
  },

  /** E-mails of those who own the device or may see it, and who are not suspended. */
  async viewersOf(queries: Queries, deviceUuid: string): Promise<ReadonlySet<string>> {
    const rows = await queries
      .selectFrom('assignments as a')
      .innerJoin('devices as d', 'd.id', 'a.device_id')
      .leftJoin('assignment_viewers as v', 'v.assignment_id', 'a.id')
      .innerJoin('users as u', (join) =>
        join.on((is) => is.or([is('u.id', '=', is.ref('a.user_id')), is('u.id', '=', is.ref('v.user_id'))])),
      )
      .where('d.device_uuid', '=', deviceUuid)
      .where('a.ended_at', 'is', null)
      .where('u.suspended_at', 'is', null)
      .where('u.deleted_at', 'is', null)
      .select('u.email')
      .distinct()
      .execute();
    return new Set(rows.map(({ email }) => email));
  },
};

function running(queries: Queries, now: Date) {
  return queries
    .selectFrom('app_certificates as a')
    .innerJoin('users as u', 'u.id', 'a.user_id')
    .leftJoin('sessions as s', 's.id', 'a.session_id')
    .where('a.ended_at', 'is', null)
    .where('a.not_after', '>', now)
    .where('u.suspended_at', 'is', null)
    .where('u.deleted_at', 'is', null)
    .where((is) =>
      is.or([
        is('a.session_id', 'is', null),
        is.and([is('s.ended_at', 'is', null), is('s.expires_at', '>', now)]),
      ]),
    )
    .select(['a.app_uuid', 'u.email', 'a.serial', 'a.not_after', 'a.admitted_at']);
}

function toApp(row: {
  app_uuid: string;
  email: string;
  serial: string;
  not_after: Date;
  admitted_at: Date | null;
}): RunningApp {
  return {
    appUuid: row.app_uuid,
    userEmail: row.email,
    serial: row.serial,
    notAfter: row.not_after,
    admitted: row.admitted_at !== null,
  };
}
