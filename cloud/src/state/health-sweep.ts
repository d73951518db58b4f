import type { Clock } from '../ports/clock.ts';
import { type DeviceState, type StateStore, StateStoreError } from '../ports/state-store.ts';
import { componentHealth } from './component-health.ts';
import type { DueDevice, HealthRepository, Looked } from './health-repository.ts';
import type { Refills } from './refills.ts';

const LIMIT = 500;
/** Should the process die while it looks, another one looks again after so long. */
const LEASE_MS = 60_000;
/** What is not as it should be is looked at again so soon, as no value grows old faster. */
const AGAIN_MS = 60_000;

/**
 * Tells when time alone changes the health of a component. Devices come from an index by the time of their next
 * change, each to one process; the device's entry decides, and the tables before anything bad is told.
 */
export function createHealthSweep(options: {
  readonly store: Pick<StateStore, 'markDirty'>;
  readonly repository: HealthRepository;
  readonly refills: Pick<Refills, 'of'>;
  readonly clock: Clock;
  readonly changed: (deviceUuid: string) => void;
}): { sweep(): Promise<void> } {
  const { store, repository, refills, clock, changed } = options;

  /** An entry of this process alone may have missed what another process stored. */
  const fromTables = async (deviceUuid: string): Promise<DeviceState | undefined> => {
    await store.markDirty([deviceUuid]).catch((error: unknown) => {
      if (!(error instanceof StateStoreError)) throw error;
    });
    return refills.of(deviceUuid);
  };
  const look = async (device: DueDevice): Promise<Looked> => {
    const { deviceUuid, told } = device;
    let seen = statusesOf(device, await refills.of(deviceUuid), clock.now());
    if (seen.told !== told && !seen.allOk)
      seen = statusesOf(device, await fromTables(deviceUuid), clock.now());
    // The first look finds what was shown since the device came.
    if (seen.told !== told && !(told === null && seen.allOk)) changed(deviceUuid);
    return { deviceUuid, told: seen.told, dueAt: seen.changesAt };
  };

  return {
    async sweep() {
      for (;;) {
        const now = clock.now();
        const due = await repository.take(now, now + LEASE_MS, LIMIT);
        await repository.looked(await Promise.all(due.map(look)));
        if (due.length < LIMIT) return;
      }
    },
  };
}

function statusesOf(
  { paces, onlineSince }: DueDevice,
  state: DeviceState | undefined,
  now: number,
): { readonly told: string; readonly allOk: boolean; readonly changesAt: number | undefined } {
  if (state === undefined) return { told: '', allOk: true, changesAt: undefined };
  const newest = new Map<number, number>();
  for (const { componentId, measuredAt } of state.values)
    newest.set(componentId, Math.max(newest.get(componentId) ?? 0, measuredAt));
  const all = paces
    .toSorted((a, b) => a.componentId - b.componentId)
    .map((pace) => ({
      ...componentHealth(pace, { state, newest: newest.get(pace.componentId), onlineSince, now }),
      componentId: pace.componentId,
    }));
  const changes = all.flatMap(({ changesAt }) => changesAt ?? []);
  const allOk = all.every(({ status }) => status === 'OK');
  // One that comes back may fall silent again before the time at which it would have become worse.
  if (!allOk && state.presence === 'ONLINE') changes.push(now + AGAIN_MS);
  return {
    told: all.map(({ componentId, status }) => `${componentId}:${status}`).join(' '),
    allOk,
    changesAt: changes.length === 0 ? undefined : Math.min(...changes),
  };
}
