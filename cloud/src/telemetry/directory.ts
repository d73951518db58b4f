import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import type { DirectoryRepository } from './directory-repository.ts';
import { toKnownDevice } from './known-device.ts';
import type { KnownDevice } from './types.ts';

export interface DeviceDirectory {
  /** The device if it is in memory: `undefined` means that `load` must be asked. */
  peek(deviceUuid: string): KnownDevice | undefined;
  /**
   * The device, from memory or the database; `undefined` when there is none. Requests of one moment share queries.
   * @throws when the database does not answer
   */
  load(deviceUuid: string): Promise<KnownDevice | undefined>;
  /** Reads the device again, at most once in five seconds; otherwise as it is. */
  reload(device: KnownDevice): Promise<KnownDevice | undefined>;
  close(): void;
}

/** The raw window and a day. */
const BOOT_WINDOW_MS = 8 * 86_400_000;
const RELOAD_MS = 5_000;
const UNKNOWN_MS = 30_000;
/** Made-up device names that are remembered as unknown. */
const MOST_UNKNOWN = 10_000;
const BATCH_MS = 3;
const BATCH_DEVICES = 200;

type Waiting = {
  readonly done: (device: KnownDevice | undefined) => void;
  readonly fail: (cause: unknown) => void;
};

export function createDeviceDirectory(options: {
  readonly repository: DirectoryRepository;
  readonly database: Pick<CloudDatabase, 'listen'>;
  readonly secrets: Pick<SecretStore, 'open'>;
  readonly clock: Clock;
}): DeviceDirectory {
  const { repository, database, secrets, clock } = options;
  const known = new Map<string, { readonly device: KnownDevice; readonly at: number }>();
  const unknown = new Map<string, number>();
  const waiting = new Map<string, Waiting[]>();
  /** Grows with each drop: what was read before it is not kept. */
  let dropped = 0;
  const droppedAt = new Map<string, number>();
  let allDroppedAt = 0;
  let loading = 0;
  let timer: NodeJS.Timeout | undefined;

  const drop = (deviceUuid: string) => {
    dropped += 1;
    if (waiting.size > 0 || loading > 0) droppedAt.set(deviceUuid, dropped);
    known.delete(deviceUuid);
    unknown.delete(deviceUuid);
  };
  const dropAll = () => {
    dropped += 1;
    allDroppedAt = dropped;
    known.clear();
    unknown.clear();
  };
  const stopListening = database.listen('device', ({ deviceUuid }) => drop(deviceUuid), dropAll);

  const rememberUnknown = (deviceUuid: string) => {
    if (unknown.size >= MOST_UNKNOWN) unknown.clear();
    unknown.set(deviceUuid, clock.now());
  };
  const settle = (deviceUuid: string, settleOne: (one: Waiting) => void) => {
    const ones = waiting.get(deviceUuid) ?? [];
    waiting.delete(deviceUuid);
    for (const one of ones) settleOne(one);
  };

  const loadBatch = async (deviceUuids: string[]): Promise<void> => {
    const begun = dropped;
    loading += 1;
    try {
      const rows = await repository.load(deviceUuids, new Date(clock.now() - BOOT_WINDOW_MS));
      const found = new Map(rows.devices.map((row) => [row.deviceUuid, row]));
      for (const deviceUuid of deviceUuids) {
        const row = found.get(deviceUuid);
        let device: KnownDevice | undefined;
        try {
          device = row && (await toKnownDevice(row, rows, secrets, clock.now()));
        } catch (cause) {
          // A device whose secret cannot be opened must not keep the others of its batch out.
          settle(deviceUuid, (one) => one.fail(cause));
          continue;
        }
        const isFresh = (droppedAt.get(deviceUuid) ?? 0) <= begun && allDroppedAt <= begun;
        if (!isFresh) {
          enqueue(deviceUuid);
          continue;
        }
        if (device !== undefined) known.set(deviceUuid, { device, at: clock.now() });
        else rememberUnknown(deviceUuid);
        settle(deviceUuid, (one) => one.done(device));
      }
    } catch (cause) {
      for (const deviceUuid of deviceUuids) settle(deviceUuid, (one) => one.fail(cause));
    } finally {
      loading -= 1;
      if (loading === 0 && waiting.size === 0) droppedAt.clear();
    }
  };

  const queued = new Set<string>();
  const enqueue = (deviceUuid: string) => {
    queued.add(deviceUuid);
    timer ??= setTimeout(() => {
      timer = undefined;
      const all = [...queued];
      queued.clear();
      for (let i = 0; i < all.length; i += BATCH_DEVICES) void loadBatch(all.slice(i, i + BATCH_DEVICES));
    }, BATCH_MS);
  };

  const load = (deviceUuid: string): Promise<KnownDevice | undefined> => {
    const entry = known.get(deviceUuid);
    if (entry !== undefined) return Promise.resolve(entry.device);
    const unknownAt = unknown.get(deviceUuid);
    if (unknownAt !== undefined) {
      if (clock.now() - unknownAt < UNKNOWN_MS) return Promise.resolve(undefined);
      unknown.delete(deviceUuid);
    }
    return new Promise((done, fail) => {
      const ones = waiting.get(deviceUuid);
      if (ones !== undefined) {
        ones.push({ done, fail });
        return;
      }
      waiting.set(deviceUuid, [{ done, fail }]);
      enqueue(deviceUuid);
    });
  };

  return {
    peek: (deviceUuid) => known.get(deviceUuid)?.device,
    load,
    async reload(device) {
      const entry = known.get(device.deviceUuid);
      if (entry !== undefined && clock.now() - entry.at < RELOAD_MS) return entry.device;
      drop(device.deviceUuid);
      return await load(device.deviceUuid);
    },
    close() {
      stopListening();
      clearTimeout(timer);
    },
  };
}
