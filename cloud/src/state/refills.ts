import { type DeviceState, type StateStore, StateStoreError } from '../ports/state-store.ts';
import type { StateRepository } from './repository.ts';

/** A store that loses entries faster than they are made is not waited for. */
const MOST_ATTEMPTS = 5;

export interface Refills {
  /**
   * The entry, made from the tables when it is missing or dirty; while the store is away, what the tables say. Never
   * older than what anybody was shown before it was asked for. `undefined` for an unknown device.
   */
  of(deviceUuid: string): Promise<DeviceState | undefined>;
}

/** What a look at the tables came to; `lost` when the store did not keep it. */
type Look = { readonly state: DeviceState | undefined } | 'lost';

export function createRefills(
  store: Pick<StateStore, 'get' | 'refill' | 'stamp'>,
  repository: Pick<StateRepository, 'state'>,
): Refills {
  const running = new Map<string, Promise<Look>>();

  const refill = async (deviceUuid: string): Promise<Look> => {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const stamp = await store.stamp(deviceUuid);
      const state = await repository.state(deviceUuid);
      if (state === undefined) return { state };
      await store.refill(deviceUuid, state, stamp);
      // Dirty or gone again: somebody may have shown what is newer than what was read here.
      const entry = await store.get(deviceUuid);
      if (entry !== undefined) return { state: entry };
    }
    return 'lost';
  };
  const lostWhenAway = (error: unknown): 'lost' => {
    if (error instanceof StateStoreError) return 'lost';
    throw error;
  };

  return {
    async of(deviceUuid) {
      const entry = await store.get(deviceUuid).catch(lostWhenAway);
      if (entry !== undefined && entry !== 'lost') return entry;
      if (entry === undefined) {
        // All who ask meanwhile share the look, as it ends with what the store holds then.
        let look = running.get(deviceUuid);
        if (look === undefined) {
          look = refill(deviceUuid)
            .catch(lostWhenAway)
            .finally(() => running.delete(deviceUuid));
          running.set(deviceUuid, look);
        }
        const found = await look;
        if (found !== 'lost') return found.state;
      }
      // Read for this caller alone: one that began earlier may have missed what somebody was shown since.
      return repository.state(deviceUuid);
    },
  };
}
