import type { StateDocument } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { DeviceState, StateStore, StateUpdate } from '../ports/state-store.ts';
import { buildDocument } from './document.ts';
import { createHealthWriter } from './health-writer.ts';
import { createRefills } from './refills.ts';
import type { StateRepository } from './repository.ts';
import { createTurns } from './turns.ts';

/** The live state of all devices, and news of its changes. */
export interface LiveState {
  /** The whole document; `undefined` for an unknown device. */
  document(deviceUuid: string): Promise<StateDocument | undefined>;
  /** Takes what was stored, in the background; a failure is logged and healed by the next refill. */
  take(deviceUuid: string, update: StateUpdate): void;
  born(deviceUuid: string, connectionId: string, at: number): Promise<void>;
  will(deviceUuid: string, connectionId: string, at: number): Promise<void>;
  /** Declares devices TIMEOUT that were not seen for so long. */
  sweep(silentMs: number): Promise<void>;
  /** Calls back with each device whose document changed, in this process or another. */
  onChange(changed: (deviceUuid: string) => void): () => void;
  close(): Promise<void>;
}

const ANNOUNCE_EVERY_MS = 1_000;
const PERSIST_EVERY_MS = 30_000;
/** UUIDs in one notice of at most 8,000 bytes. */
const NOTICE_DEVICES = 150;
const SWEEP_LIMIT = 500;

/**
 * @param options.role `writer` where the ingest runs: it knows every change first. `reader` elsewhere: notices of
 * other processes make its copies dirty, and they are read from the database again.
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
  const announced = new Set<string>();
  const seen = new Map<string, number>();
  const work = new Set<Promise<unknown>>();

  const emit = (deviceUuid: string) => {
    for (const listener of listeners) listener(deviceUuid);
  };
  const changed = (deviceUuid: string) => {
    announced.add(deviceUuid);
    emit(deviceUuid);
  };
  const run = (task: () => Promise<unknown>, what: string) => {
    const running = task().catch((error: Error) => log.warn({ error: error.message }, what));
    work.add(running);
    void running.then(() => work.delete(running));
  };

  const refills = createRefills(store, repository);
  /** The entry, made from the database when it is missing or dirty. */
  const entryOf = async (deviceUuid: string): Promise<DeviceState | undefined> =>
    (await store.get(deviceUuid)) ?? (await refills.of(deviceUuid));

  // Store and database change in the same order, or one would end with a presence that the other has left.
  const inTurn = createTurns();
  const revived = (deviceUuid: string) =>
    run(
      () =>
        inTurn(deviceUuid, async () => {
          const entry = await store.get(deviceUuid);
          if (entry?.presence !== 'ONLINE') return;
          await repository.savePresence(deviceUuid, 'ONLINE', undefined);
          changed(deviceUuid);
        }),
      'a presence was not saved',
    );

  const apply = async (deviceUuid: string, update: StateUpdate): Promise<void> => {
    let outcome = await store.apply(deviceUuid, update);
    if (outcome === 'missing') {
      if ((await entryOf(deviceUuid)) === undefined) return;
      outcome = await store.apply(deviceUuid, update);
      if (outcome === 'same') outcome = 'changed';
    }
    if (outcome === 'revived') revived(deviceUuid);
    if (outcome === 'changed' || outcome === 'revived') changed(deviceUuid);
  };

  const health = createHealthWriter(repository);
  const announce = async (): Promise<void> => {
    const devices = [...announced];
    announced.clear();
    try {
      for (let i = 0; i < devices.length; i += NOTICE_DEVICES)
        await database.notify(database.db, 'state', { deviceUuids: devices.slice(i, i + NOTICE_DEVICES) });
    } catch (error) {
      // Other processes would show what was, for as long as nothing else changes.
      for (const deviceUuid of devices) announced.add(deviceUuid);
      throw error;
    }
  };
  const persistSeen = async (): Promise<void> => {
    const batch = new Map(seen);
    seen.clear();
    await repository.saveLastSeen(batch);
  };

  const everythingMayHaveChanged = () =>
    run(async () => {
      refills.outdate('all');
      await store.markDirty('all');
    }, 'the live state may be old');

  const stops: (() => void)[] = [];
  if (role === 'writer') {
    for (const deviceUuid of await repository.online()) await entryOf(deviceUuid);
    const announcing = setInterval(
      () => run(announce, 'changes of state were not announced'),
      ANNOUNCE_EVERY_MS,
    );
    const persisting = setInterval(() => {
      run(persistSeen, 'last-seen was not saved');
      run(() => health.save(), 'the health of components was not saved');
    }, PERSIST_EVERY_MS);
    stops.push(
      () => clearInterval(announcing),
      () => clearInterval(persisting),
    );
  } else {
    const dirty = (deviceUuids: readonly string[]) =>
      run(async () => {
        refills.outdate(deviceUuids);
        await store.markDirty(deviceUuids);
        for (const deviceUuid of deviceUuids) emit(deviceUuid);
      }, 'a change of state was lost');
    stops.push(database.listen('state', ({ deviceUuids }) => dirty(deviceUuids), everythingMayHaveChanged));
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
      const [shown, state] = await Promise.all([repository.shown(deviceUuid), entryOf(deviceUuid)]);
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
        await apply(deviceUuid, update);
      }, 'a change of state was lost');
    },
    async born(deviceUuid, connectionId, at) {
      seen.set(deviceUuid, at);
      await inTurn(deviceUuid, async () => {
        await repository.savePresence(deviceUuid, 'ONLINE', connectionId);
        if ((await entryOf(deviceUuid)) === undefined) return;
        await store.birth(deviceUuid, connectionId, at);
        changed(deviceUuid);
      });
    },
    async will(deviceUuid, connectionId, at) {
      await inTurn(deviceUuid, async () => {
        if ((await entryOf(deviceUuid)) === undefined) return;
        if (!(await store.will(deviceUuid, connectionId, at))) return;
        await repository.savePresence(deviceUuid, 'OFFLINE', undefined);
        changed(deviceUuid);
      });
    },
    async sweep(silentMs) {
      const seenBefore = clock.now() - silentMs;
      const look = async (deviceUuid: string): Promise<void> => {
        // A broker in another process writes down whose connections it holds.
        const at = await repository.lastSeen(deviceUuid);
        if (at !== undefined && at >= seenBefore) {
          await store.apply(deviceUuid, { values: [], health: [], seenAt: at });
          return;
        }
        if (!(await store.timeOut(deviceUuid, seenBefore))) return;
        await repository.savePresence(deviceUuid, 'TIMEOUT', undefined);
        changed(deviceUuid);
      };
      for (const deviceUuid of await store.overdue(seenBefore, SWEEP_LIMIT))
        await inTurn(deviceUuid, () => look(deviceUuid));
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      for (const stop of stops) stop();
      await Promise.all(work);
      if (role === 'writer') {
        await announce().catch(() => undefined);
        await persistSeen().catch(() => undefined);
        await health.save().catch(() => undefined);
      }
    },
  };
}
