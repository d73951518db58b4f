import { sql } from 'kysely';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';

/** A certificate that is accepted right now. */
export interface CurrentCertificate {
  readonly deviceId: number;
  readonly deviceUuid: string;
  readonly assignmentId: number;
  /** Lower-case hex. */
  readonly serial: string;
  readonly notAfter: Date;
}

/**
 * Whether a device's certificate is accepted: the query side. A certificate counts when its serial number is one
 * that this cloud issued, for that device, and it is in time and
 * - ACTIVE (one a device, by a unique index), or
 * - SUPERSEDED and neither five minutes old as such nor its successor used: the answer may have been lost.
 * Anything else, also a failing database, is a refusal.
 */
export interface CertificateStatus {
  /** The certificate if it is accepted; broker and HTTP ask at each connect and each request. */
  current(serial: string): Promise<CurrentCertificate | undefined>;
  /** Which of these certificates are not accepted. */
  refused(serials: readonly string[]): Promise<ReadonlySet<string>>;
  /** {@link current}, and the name in the certificate must be the device's; also notes the first use. */
  admit(peer: {
    readonly serial: string;
    readonly deviceUuid: string;
  }): Promise<CurrentCertificate | undefined>;
  /**
   * For the broker's door: `ACTIVE` for every certificate that is accepted, which notes the first use too, else
   * what the table says of it; `undefined` for one that this cloud never issued.
   */
  lookUp(serial: string): Promise<{ readonly deviceUuid: string; readonly status: string } | undefined>;
}

export function createCertificateStatus(options: {
  readonly database: CloudDatabase;
  readonly clock: Clock;
}): CertificateStatus {
  const { db } = options.database;
  const now = () => new Date(options.clock.now());

  const accepted = (serials: readonly string[]) =>
    db
      .selectFrom('certificates as c')
      .innerJoin('devices as d', 'd.id', 'c.device_id')
      .select([
        'c.id',
        'c.serial',
        'c.device_id',
        'c.assignment_id',
        'c.not_after',
        'c.used_at',
        'd.device_uuid',
      ])
      .where('c.serial', '=', sql<string>`any(${serials})`)
      .where('d.life_cycle', '<>', 'BLOCKED')
      .where('c.not_after', '>', now())
      .where((is) =>
        is.or([
          is('c.status', '=', 'ACTIVE'),
          is.and([is('c.status', '=', 'SUPERSEDED'), is('c.superseded_until', '>', now())]),
        ]),
      );
  type Row = Awaited<ReturnType<ReturnType<typeof accepted>['execute']>>[number];
  const toCurrent = (row: Row): CurrentCertificate => ({
    deviceId: row.device_id,
    deviceUuid: row.device_uuid,
    assignmentId: row.assignment_id,
    serial: row.serial,
    notAfter: row.not_after!,
  });

  const noteFirstUse = async (row: Row) => {
    await db.transaction().execute(async (trx) => {
      const first = await trx
        .updateTable('certificates')
        .set({ used_at: now() })
        .where('id', '=', row.id)
        .where('used_at', 'is', null)
        .where('status', '=', 'ACTIVE')
        .returning('id')
        .executeTakeFirst();
      if (first === undefined) return;
      await trx
        .updateTable('certificates')
        .set({ superseded_until: now() })
        .where('device_id', '=', row.device_id)
        .where('status', '=', 'SUPERSEDED')
        .where('superseded_until', '>', now())
        .execute();
    });
  };

  return {
    async current(serial) {
      const row = await accepted([serial]).executeTakeFirst();
      return row && toCurrent(row);
    },
    async refused(serials) {
      const rows = await accepted(serials).execute();
      const good = new Set(rows.map(({ serial }) => serial));
      return new Set(serials.filter((serial) => !good.has(serial)));
    },
    async admit({ serial, deviceUuid }) {
      const row = await accepted([serial]).executeTakeFirst();
      if (row === undefined || row.device_uuid !== deviceUuid) return undefined;
      if (row.used_at === null) await noteFirstUse(row);
      return toCurrent(row);
    },
    async lookUp(serial) {
      const row = await accepted([serial]).executeTakeFirst();
      if (row !== undefined) {
        if (row.used_at === null) await noteFirstUse(row);
        return { deviceUuid: row.device_uuid, status: 'ACTIVE' };
      }
      const refused = await db
        .selectFrom('certificates as c')
        .innerJoin('devices as d', 'd.id', 'c.device_id')
        .select(['d.device_uuid', 'c.status', 'd.life_cycle'])
        .where('c.serial', '=', serial)
        .executeTakeFirst();
      if (refused === undefined) return undefined;
      const status =
        refused.status !== 'ACTIVE'
          ? refused.status
          : refused.life_cycle === 'BLOCKED'
            ? 'BLOCKED'
            : 'EXPIRED';
      return { deviceUuid: refused.device_uuid, status };
    },
  };
}
