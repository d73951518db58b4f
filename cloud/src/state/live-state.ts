import type { StateDocument } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { DeviceState, HealthValue, StateStore, StateUpdate } from '../ports/state-store.ts';
import { buildDocument } from './document.ts';
import type { StateRepository } from './repository.ts';

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
  /** The broker holds a connection of these devices, silent as they may be. */
  touch(deviceUuids: readonly string[]): Promise<void>;
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

  /** The entry, made from the database when it is missing or dirty. */
  const entryOf = async (deviceUuid: string): Promise<DeviceState | undefined> => {
    const entry = await store.get(deviceUuid);
    if (entry !== undefined) return entry;
    const state = await repository.state(deviceUuid);
    if (state === undefined) return undefined;
    await store.refill(deviceUuid, state);
    return (await store.get(deviceUuid)) ?? state;
  };

  const apply = async (deviceUuid: string, update: StateUpdate): Promise<void> => {
    let outcome = await store.apply(deviceUuid, update);
    if (outcome === 'missing') {
      if ((await entryOf(deviceUuid)) === undefined) return;
      await store.apply(deviceUuid, update);
      outcome = 'changed';
    }
    if (outcome === 'changed') changed(deviceUuid);
  };
  const persistHealth = async (deviceUuid: string, health: readonly HealthValue[]): Promise<void> => {
    if (health.length > 0) await repository.saveHealth(health);
    await apply(deviceUuid, { values: [], health, seenAt: clock.now() });
  };

  const announce = async (): Promise<void> => {
    const devices = [...announced];
    announced.clear();
    for (let i = 0; i < devices.length; i += NOTICE_DEVICES)
      await database.notify(database.db, 'state', { deviceUuids: devices.slice(i, i + NOTICE_DEVICES) });
  };
  const persistSeen = async (): Promise<void> => {
    const batch = new Map(seen);
    seen.clear();
    await repository.saveLastSeen(batch);
  };

  const stops: (() => void)[] = [];
  if (role === 'writer') {
    for (const deviceUuid of await repository.online()) await entryOf(deviceUuid);
    const announcing = setInterval(
      () => run(announce, 'changes of state were not announced'),
      ANNOUNCE_EVERY_MS,
    );
    const persisting = setInterval(() => run(persistSeen, 'last-seen was not saved'), PERSIST_EVERY_MS);
    stops.push(
      () => clearInterval(announcing),
      () => clearInterval(persisting),
    );
  } else {
    const dirty = (deviceUuids: readonly string[]) =>
      run(async () => {
        await store.markDirty(deviceUuids);
        for (const deviceUuid of deviceUuids) emit(deviceUuid);
      }, 'a change of state was lost');
    stops.push(
      database.listen(
        'state',
        ({ deviceUuids }) => dirty(deviceUuids),
        () => run(() => store.markDirty('all'), 'the live state may be old'),
      ),
    );
  }
  // Names, components and owners are read from the tables each time; what a former owner measured is forgotten.
  const ownerMayHaveChanged = (deviceUuid: string) =>
    run(async () => {
      if (!(await repository.isOwned(deviceUuid))) await store.drop(deviceUuid);
      emit(deviceUuid);
    }, 'a change of owner was lost');
  stops.push(
    database.listen(
      'device',
      ({ deviceUuid }) => ownerMayHaveChanged(deviceUuid),
      () => run(() => store.markDirty('all'), 'the live state may be old'),
    ),
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
        if (update.health.length > 0) await persistHealth(deviceUuid, update.health);
        await apply(deviceUuid, { ...update, health: [] });
      }, 'a change of state was lost');
    },
    async born(deviceUuid, connectionId, at) {
      seen.set(deviceUuid, at);
      await repository.savePresence(deviceUuid, 'ONLINE', connectionId);
      if ((await entryOf(deviceUuid)) === undefined) return;
      await store.birth(deviceUuid, connectionId, at);
      changed(deviceUuid);
    },
    async will(deviceUuid, connectionId, at) {
      if ((await entryOf(deviceUuid)) === undefined) return;
      if (!(await store.will(deviceUuid, connectionId, at))) return;
      await repository.savePresence(deviceUuid, 'OFFLINE', undefined);
      changed(deviceUuid);
    },
    async sweep(silentMs) {
      const seenBefore = clock.now() - silentMs;
      for (const deviceUuid of await store.overdue(seenBefore, SWEEP_LIMIT)) {
        // A broker in another process writes down whose connections it holds.
        const at = await repository.lastSeen(deviceUuid);
        if (at !== undefined && at >= seenBefore) {
          await store.apply(deviceUuid, { values: [], health: [], seenAt: at });
          continue;
        }
        if (!(await store.timeOut(deviceUuid, seenBefore))) continue;
        await repository.savePresence(deviceUuid, 'TIMEOUT', undefined);
        changed(deviceUuid);
      }
    },
    async touch(deviceUuids) {
      const now = clock.now();
      await repository.saveLastSeen(new Map(deviceUuids.map((deviceUuid) => [deviceUuid, now])));
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
      }
    },
  };
}
