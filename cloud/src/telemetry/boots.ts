import { sql } from 'kysely';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import { toBoot } from './known-device.ts';
import type { KnownBoot, KnownDevice } from './types.ts';

export interface Boots {
  /** The boot, made when it is new; `undefined` beyond the bound of new boots a day. */
  ensure(device: KnownDevice, bootId: string, bootCount: number): Promise<KnownBoot | undefined>;
  /**
   * The boot named itself as the running one at `uptimeMs`, which was at `at`: its anchor is fixed, once.
   * Answers whether it did so for the first time, and the highest count of any other boot of the device. May be
   * called again when it failed.
   */
  born(
    device: KnownDevice,
    boot: KnownBoot,
    at: number,
    uptimeMs: number,
  ): Promise<{ readonly isFirst: boolean; readonly highestOther: number }>;
  /**
   * Fixes the anchor of a boot that ended at `endUptimeMs` before the next one began, if that is known. A device sends
   * its oldest boots first: those between it and the first that has a place are waited for, as they come in between.
   */
  placeEarlier(device: KnownDevice, boot: KnownBoot, endUptimeMs: number): Promise<void>;
}

const DAY_MS = 86_400_000;
/** How long boots are waited for that must lie in between and were not heard of: perhaps they measured nothing. */
const UNHEARD_MS = 60_000;
/** The same for boots that were heard of and have no place themselves. */
const UNPLACED_MS = 900_000;
const MOST_BETWEEN = 100;

export function createBoots(options: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly clock: Clock;
  readonly config: { readonly newBootsPerDay: number };
}): Boots {
  const { db } = options.database;

  const remember = (device: KnownDevice, row: Parameters<typeof toBoot>[0]): KnownBoot => {
    const fresh = toBoot(row);
    const old = device.boots.get(fresh.bootId);
    if (old === undefined) {
      device.boots.set(fresh.bootId, fresh);
      return fresh;
    }
    old.anchorMs = fresh.anchorMs;
    old.bornAt = fresh.bornAt;
    return old;
  };
  /** Whoever comes first fixes it; everyone learns what holds. */
  const fixAnchor = async (device: KnownDevice, boot: KnownBoot, anchorMs: number): Promise<void> => {
    const row = await db
      .updateTable('device_boots')
      .set({ anchor_ms: sql`coalesce(anchor_ms, ${Math.round(anchorMs)}::bigint)` })
      .where('id', '=', boot.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    boot.anchorMs = remember(device, row).anchorMs;
  };

  return {
    async ensure(device, bootId, bootCount) {
      const known = device.boots.get(bootId);
      if (known !== undefined) return known;
      const since = options.clock.now() - DAY_MS;
      const recent = [...device.boots.values()].filter(({ firstSeen }) => firstSeen > since).length;
      if (recent >= options.config.newBootsPerDay) return undefined;
      const row = await db
        .insertInto('device_boots')
        .values({ device_id: device.deviceId, boot_id: bootId, boot_count: bootCount })
        // A row that exists is only returned by an update.
        .onConflict((conflict) =>
          conflict.columns(['device_id', 'boot_id']).doUpdateSet((eb) => ({
            boot_count: eb.ref('device_boots.boot_count'),
          })),
        )
        .returningAll()
        .executeTakeFirstOrThrow();
      return remember(device, row);
    },
    async born(device, boot, at, uptimeMs) {
      const others = await db
        .selectFrom('device_boots')
        .where('device_id', '=', device.deviceId)
        .where('id', '!=', boot.id)
        .select(({ fn }) => fn.max('boot_count').as('highest'))
        .executeTakeFirst();
      const isFirst = boot.bornAt === undefined;
      await fixAnchor(device, boot, at - uptimeMs);
      // Last of all: a birth that failed before is still the first one when it is tried again.
      // By the cloud's clock, so that births can be compared.
      const now = options.clock.now();
      await db
        .updateTable('device_boots')
        .set({ born_at: sql`coalesce(born_at, ${new Date(now)})` })
        .where('id', '=', boot.id)
        .execute();
      boot.bornAt ??= now;
      return { isFirst, highestOther: others?.highest ?? 0 };
    },
    async placeEarlier(device, boot, endUptimeMs) {
      const later = await db
        .selectFrom('device_boots')
        .where('device_id', '=', device.deviceId)
        .where('boot_count', '>', boot.bootCount)
        .orderBy('boot_count')
        .limit(MOST_BETWEEN)
        .select(['boot_count as bootCount', 'anchor_ms as anchorMs'])
        .execute();
      const next = later.find(({ anchorMs }) => anchorMs !== null);
      if (next === undefined || next.anchorMs === null) return;
      const isTheNext = next.bootCount === boot.bootCount + 1;
      const patienceMs = later[0] === next ? UNHEARD_MS : UNPLACED_MS;
      if (!isTheNext && options.clock.now() - boot.firstSeen < patienceMs) return;
      await fixAnchor(device, boot, next.anchorMs - endUptimeMs);
    },
  };
}
