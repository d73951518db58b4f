import type { BenchCloud } from '../bench-cloud.ts';
import { cpuSecondsOf } from '../processes.ts';
import type { Fleet } from './fleet-handle.ts';
import type { FleetOrder, FleetResult } from './fleet-plan.ts';

/** A run whose readings are in the database, and what it cost. */
export interface StoreRun extends FleetResult {
  /** Seconds of processor time; `services` are Mosquitto and Redis where the cloud uses them. */
  readonly cpu: Readonly<Record<'cloud' | 'database' | 'services' | 'fleet', number>>;
}

/** @throws when an acknowledged reading is not in the database exactly once, or one was refused */
export async function storeReadings(cloud: BenchCloud, fleet: Fleet, order: FleetOrder): Promise<StoreRun> {
  const count = async () =>
    (await cloud.database.query<{ n: number }>('select count(*)::int as n from telemetry_data')).rows[0]!.n;
  const before = await count();
  await fleet.prepare(order);
  const pids = cloud.pids();
  const used = () => ({
    cloud: cpuSecondsOf(pids.cloud),
    database: cpuSecondsOf(pids.database),
    services: pids.services.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
  });
  const begin = used();
  const result = await fleet.run();
  const end = used();
  const stored = (await count()) - before;
  if (stored !== result.acknowledged || result.rejected > 0)
    throw new Error(
      `${result.acknowledged} acknowledged, ${result.rejected} refused, ${stored} in the database`,
    );
  return {
    ...result,
    cpu: {
      cloud: end.cloud - begin.cloud,
      database: end.database - begin.database,
      services: end.services - begin.services,
      fleet: result.cpuSeconds,
    },
  };
}
