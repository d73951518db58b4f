import { type DeviceState, type StateStore, StateStoreError } from '../ports/state-store.ts';
import type { StateRepository } from './repository.ts';

/** A store that loses entries faster than they are made is not waited for. */
const MOST_ATTEMPTS = 5;

export interface Refills {
  /**
   * The entry, made from the tables when it is missing or dirty; while the store is away, what the tables say. All who
   * ask meanwhile share the look. `undefined` for an unknown device.
   */
  of(deviceUuid: string): Promise<DeviceState | undefined>;
}

export function createRefills(
  store: Pick<StateStore, 'get' | 'refill' | 'stamp'>,
  repository: Pick<StateRepository, 'state'>,
): Refills {
  const running = new Map<string, Promise<DeviceState | undefined>>();

  const refill = async (deviceUuid: string): Promise<DeviceState | undefined> => {
    for (let attempt = 1; ; attempt += 1) {
      const stamp = await store.stamp(deviceUuid);
      const state = await repository.state(deviceUuid);
      if (state === undefined) return undefined;
      await store.refill(deviceUuid, state, stamp);
      // Dirty or gone again: somebody may have shown what is newer than what was read here.
      const entry = await store.get(deviceUuid);
      if (entry !== undefined || attempt >= MOST_ATTEMPTS) return entry ?? state;
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
      if (present !== undefined) return present;
      const state = read(deviceUuid).finally(() => running.delete(deviceUuid));
      running.set(deviceUuid, state);
      return state;
    },
  };
}
