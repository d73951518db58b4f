import type { StateDocument } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import { type StateStore, StateStoreError, type StateUpdate } from '../ports/state-store.ts';
import { createAnnouncements } from './announcements.ts';
import { buildDocument } from './document.ts';
import { createHealthRepository } from './health-repository.ts';
import { createHealthSweep } from './health-sweep.ts';
import { createHealthWriter } from './health-writer.ts';
import { createPresenceSteps } from './presence-steps.ts';
import { createRefills } from './refills.ts';
import type { StateRepository } from './repository.ts';

/** The live state of all devices, and news of its changes. */
export interface LiveState {
  /** The whole document; `undefined` for an unknown device. */
  document(deviceUuid: string): Promise<StateDocument | undefined>;
  /** Takes what was stored, in the background; a failure is logged and healed by the next refill. */
  take(deviceUuid: string, update: StateUpdate): void;
  born(deviceUuid: string, connectionId: string, at: number): Promise<void>;
  will(deviceUuid: string, connectionId: string, at: number): Promise<void>;
  /** Declares devices TIMEOUT that were not seen for so long, and tells of components that fell silent. */
  sweep(silentMs: number): Promise<void>;
  /** Calls back with each device whose document changed, in this process or another. */
  onChange(changed: (deviceUuid: string) => void): () => void;
  close(): Promise<void>;
}

const ANNOUNCE_EVERY_MS = 1_000;
const PERSIST_EVERY_MS = 30_000;

/**
 * @param options.role `writer` where the ingest runs: it changes the store and says so to the others. What these do
 * with the notice depends on the store: a shared one holds the change already, of another the copy is dirty.
 */
export async function createLiveState(options: {
  readonly store: StateStore;
  readonly repository: StateRepository;
  readonly database: CloudDatabase;
  readonly clock: Clock;
  readonly log: Logger;
  readonly role: 'writer' | 'reader';
}): Promise<LiveState> {
  const { store, repository, database, clock, log, role } = options;
  const listeners = new Set<(deviceUuid: string) => void>();
  const seen = new Map<string, number>();
  const work = new Set<Promise<unknown>>();
  const announcements = createAnnouncements(database);

  const emit = (deviceUuid: string) => {
    for (const listener of listeners) listener(deviceUuid);
  };
  const changed = (deviceUuid: string) => {
    announcements.add(deviceUuid);
    emit(deviceUuid);
  };
  const run = (task: () => Promise<unknown>, what: string) => {
    const running = task().catch((error: Error) => log.warn({ error: error.message }, what));
    work.add(running);
    void running.then(() => work.delete(running));
  };

  const refills = createRefills(store, repository);
  const healthSweep = createHealthSweep({
    store,
    repository: createHealthRepository(database),
    refills,
    clock,
    changed,
  });
  const presence = createPresenceSteps({ store, repository, refills, clock, changed });

  const apply = async (deviceUuid: string, update: StateUpdate): Promise<void> => {
    let outcome = await store.apply(deviceUuid, update);
    if (outcome === 'missing') {
      if ((await refills.of(deviceUuid)) === undefined) return;
      outcome = await store.apply(deviceUuid, update);
      if (outcome === 'same') outcome = 'changed';
    }
    if (outcome === 'revived')
      run(() => presence.revived(deviceUuid, update.seenAt), 'a presence was not saved');
    if (outcome === 'changed' || outcome === 'revived') changed(deviceUuid);
  };
  const applyOrShowTables = async (deviceUuid: string, update: StateUpdate): Promise<void> => {
    try {
      await apply(deviceUuid, update);
    } catch (error) {
      if (!(error instanceof StateStoreError)) throw error;
      // It is in the tables, from which everybody reads until the store is back, and then it is refilled.
      changed(deviceUuid);
    }
  };

  const health = createHealthWriter(repository);
  const persistSeen = async (): Promise<void> => {
    const batch = new Map(seen);
    seen.clear();
    await repository.saveLastSeen(batch);
  };

  const everythingMayHaveChanged = () =>
    run(async () => {
      try {
        await store.markDirty('all');
      } catch (error) {
        // A store that comes back has everything in it dirty.
        if (!(error instanceof StateStoreError)) throw error;
      }
    }, 'the live state may be old');

  const heard = (deviceUuids: readonly string[]) => {
    if (store.shared) {
      for (const deviceUuid of deviceUuids) emit(deviceUuid);
      return;
    }
    run(async () => {
      await store.markDirty(deviceUuids);
      for (const deviceUuid of deviceUuids) emit(deviceUuid);
    }, 'a change of state was lost');
  };
  const stops = [announcements.hear(heard, store.shared ? () => undefined : everythingMayHaveChanged)];
  if (role === 'writer') {
    // One that died may have stored readings of which a shared store was not told.
    everythingMayHaveChanged();
    const every = (ms: number, task: () => void) => {
      const timer = setInterval(task, ms);
      stops.push(() => clearInterval(timer));
    };
    every(ANNOUNCE_EVERY_MS, () => run(() => announcements.send(), 'changes of state were not announced'));
    every(PERSIST_EVERY_MS, () => {
      run(persistSeen, 'last-seen was not saved');
      run(() => health.save(), 'the health of components was not saved');
    });
  }
  // Names, components and owners are read from the tables each time; what a former owner measured is forgotten.
  const ownerMayHaveChanged = (deviceUuid: string) =>
    run(async () => {
      if (!(await repository.isOwned(deviceUuid))) await store.drop(deviceUuid);
      emit(deviceUuid);
    }, 'a change of owner was lost');
  stops.push(
    database.listen('device', ({ deviceUuid }) => ownerMayHaveChanged(deviceUuid), everythingMayHaveChanged),
  );

  return {
    async document(deviceUuid) {
      const [shown, state] = await Promise.all([repository.shown(deviceUuid), refills.of(deviceUuid)]);
      return shown === undefined || state === undefined
        ? undefined
        : buildDocument(shown, state, clock.now());
    },
    take(deviceUuid, update) {
      seen.set(deviceUuid, update.seenAt);
      run(async () => {
        health.keep(update.health);
        // In the tables first, where other processes read it when the change is announced.
        if (update.health.length > 0)
          await health
            .save()
            .catch((error: Error) =>
              log.warn(
                { deviceUuid, error: error.message },
                'the health of components waits for the database',
              ),
            );
        await applyOrShowTables(deviceUuid, update);
      }, 'a change of state was lost');
    },
    async born(deviceUuid, connectionId, at) {
      seen.set(deviceUuid, at);
      await presence.born(deviceUuid, connectionId, at);
    },
    will: presence.will,
    async sweep(silentMs) {
      await presence.sweep(silentMs);
      await healthSweep.sweep();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      for (const stop of stops) stop();
      await Promise.all(work);
      if (role === 'writer') {
        await announcements.send().catch(() => undefined);
        await persistSeen().catch(() => undefined);
        await health.save().catch(() => undefined);
      }
    },
  };
}
