import { type DeviceState, type StateStore, StateStoreError } from '../ports/state-store.ts';
import type { StateRepository } from './repository.ts';

export interface Refills {
  /**
   * The entry, made from the tables when it is missing or dirty; while the store is away, what the tables say. All who
   * ask meanwhile share the look. `undefined` for an unknown device.
   */
  of(deviceUuid: string): Promise<DeviceState | undefined>;
  /** What is being read of these devices may be older than what was just announced: it is read again. */
  outdate(deviceUuids: readonly string[] | 'all'): void;
}

export function createRefills(
  store: Pick<StateStore, 'get' | 'refill' | 'markDirty' | 'epoch'>,
  repository: Pick<StateRepository, 'state'>,
): Refills {
  const running = new Map<string, { outdated: boolean; readonly state: Promise<DeviceState | undefined> }>();

  const refill = async (deviceUuid: string): Promise<DeviceState | undefined> => {
    for (;;) {
      const epoch = await store.epoch();
      const state = await repository.state(deviceUuid);
      if (state === undefined) return undefined;
      await store.refill(deviceUuid, state, epoch);
      const mine = running.get(deviceUuid);
      if (mine?.outdated !== true) return (await store.get(deviceUuid)) ?? state;
      mine.outdated = false;
      await store.markDirty([deviceUuid]);
    }
  };
  const unlessAway = async <T>(ask: () => Promise<T>, otherwise: () => Promise<T>): Promise<T> => {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof StateStoreError) return otherwise();
      throw error;
    }
  };
  const read = (deviceUuid: string) =>
    unlessAway(
      () => refill(deviceUuid),
      () => repository.state(deviceUuid),
    );

  return {
    async of(deviceUuid) {
      const entry = await unlessAway(
        () => store.get(deviceUuid),
        async () => undefined,
      );
      if (entry !== undefined) return entry;
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
