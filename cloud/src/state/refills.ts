import type { DeviceState, StateStore } from '../ports/state-store.ts';
import type { StateRepository } from './repository.ts';

interface Refills {
  /** Makes the entry from the tables; all who ask meanwhile share the look. `undefined` for an unknown device. */
  of(deviceUuid: string): Promise<DeviceState | undefined>;
  /** What is being read of these devices may be older than what was just announced: it is read again. */
  outdate(deviceUuids: readonly string[] | 'all'): void;
}

export function createRefills(
  store: Pick<StateStore, 'get' | 'refill' | 'markDirty'>,
  repository: Pick<StateRepository, 'state'>,
): Refills {
  const running = new Map<string, { outdated: boolean; readonly state: Promise<DeviceState | undefined> }>();

  const read = async (deviceUuid: string): Promise<DeviceState | undefined> => {
    for (;;) {
      const state = await repository.state(deviceUuid);
      if (state === undefined) return undefined;
      await store.refill(deviceUuid, state);
      const mine = running.get(deviceUuid);
      if (mine?.outdated !== true) return (await store.get(deviceUuid)) ?? state;
      mine.outdated = false;
      await store.markDirty([deviceUuid]);
    }
  };

  return {
    of(deviceUuid) {
      const present = running.get(deviceUuid);
      if (present !== undefined) return present.state;
      const state = read(deviceUuid).finally(() => running.delete(deviceUuid));
      running.set(deviceUuid, { outdated: false, state });
      return state;
    },
    outdate(deviceUuids) {
      const names = deviceUuids === 'all' ? running.keys() : deviceUuids;
      for (const name of names) {
        const one = running.get(name);
        if (one !== undefined) one.outdated = true;
      }
    },
  };
}
