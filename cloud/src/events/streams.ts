import { eventFrame } from '../http/event-stream.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { LiveState } from '../state/live-state.ts';
import type { AccessRepository } from './access-repository.ts';
import { createLatestQueue, type LatestQueue } from './latest-queue.ts';

/**
 * Live state as server-sent events. `state` carries the whole document; `removed` with `{ deviceUuid }` says that
 * the reader may not see the device any more.
 */
export interface EventStreams {
  /**
   * One device; ends when the right on it ends. `asAdmin` is for administrators, who need no assignment as long as
   * they are some.
   */
  device(deviceUuid: string, userId: number, asAdmin: boolean): Promise<AsyncIterable<string>>;
  /** All devices that the user owns or may see, those included that come later. */
  user(userId: number): Promise<AsyncIterable<string>>;
  close(): Promise<void>;
}

interface Stream {
  readonly userId: number;
  readonly queue: LatestQueue;
  /** Undefined for a stream of all the user's devices. */
  readonly only: string | undefined;
  readonly asAdmin: boolean;
}

/** At most one document a device and second. */
const EVERY_MS = 1_000;
/** Should a notice be lost, rights are looked up again by then. */
const RECHECK_MS = 4_000;
/** Nothing happens when a value grows old: what is watched is pushed again. */
const REFRESH_MS = 15_000;

export function createEventStreams(options: {
  readonly state: Pick<LiveState, 'document' | 'onChange'>;
  readonly access: AccessRepository;
  readonly database: Pick<CloudDatabase, 'listen'>;
  readonly log: Logger;
  readonly everyMs?: number;
}): EventStreams {
  const { state, access, database, log, everyMs = EVERY_MS } = options;
  const streams = new Set<Stream>();
  const watchers = new Map<string, Set<Stream>>();
  /** Devices whose document was pushed a moment ago; `true` when another push is due. */
  const paused = new Map<string, boolean>();
  const timers = new Set<NodeJS.Timeout>();

  const guard = (task: Promise<unknown>, what: string) => {
    task.catch((error: Error) => log.warn({ error: error.message }, what));
  };
  const watch = (stream: Stream, deviceUuid: string) => {
    watchers.set(deviceUuid, (watchers.get(deviceUuid) ?? new Set()).add(stream));
  };
  const unwatch = (stream: Stream, deviceUuid: string) => {
    const set = watchers.get(deviceUuid);
    set?.delete(stream);
    if (set?.size === 0) watchers.delete(deviceUuid);
  };
  const remove = (stream: Stream) => {
    streams.delete(stream);
    for (const deviceUuid of [...watchers.keys()]) unwatch(stream, deviceUuid);
  };

  const frameOf = async (deviceUuid: string): Promise<string | undefined> => {
    const document = await state.document(deviceUuid);
    return document && eventFrame({ event: 'state', data: document });
  };
  const push = async (deviceUuid: string): Promise<void> => {
    const frame = await frameOf(deviceUuid);
    if (frame === undefined) return;
    // Looked up after the document was made: who lost the right meanwhile gets nothing.
    for (const stream of watchers.get(deviceUuid) ?? []) stream.queue.put(deviceUuid, frame);
  };
  const changed = (deviceUuid: string) => {
    if (!watchers.has(deviceUuid)) return;
    if (paused.has(deviceUuid)) {
      paused.set(deviceUuid, true);
      return;
    }
    paused.set(deviceUuid, false);
    const timer = setTimeout(() => {
      timers.delete(timer);
      const again = paused.get(deviceUuid) === true;
      paused.delete(deviceUuid);
      if (again) changed(deviceUuid);
    }, everyMs);
    timers.add(timer);
    guard(push(deviceUuid), 'a document was not pushed');
  };

  const revoke = (stream: Stream, deviceUuid: string) => {
    unwatch(stream, deviceUuid);
    stream.queue.forget(deviceUuid);
    stream.queue.put(`removed ${deviceUuid}`, eventFrame({ event: 'removed', data: { deviceUuid } }));
    if (stream.only !== undefined) stream.queue.end();
  };
  const recheckDevice = async (deviceUuid: string): Promise<void> => {
    const users = await access.usersOf(deviceUuid);
    for (const stream of streams) {
      const watching = watchers.get(deviceUuid)?.has(stream) === true;
      const may = stream.asAdmin || users.has(stream.userId);
      if (watching && !may) revoke(stream, deviceUuid);
      if (!watching && may && stream.only === undefined) {
        watch(stream, deviceUuid);
        changed(deviceUuid);
      }
    }
  };
  const recheckAll = async (): Promise<void> => {
    const looked = [...streams];
    const byUser = new Map<number, Set<string>>();
    for (const { userId } of looked)
      if (!byUser.has(userId)) byUser.set(userId, new Set(await access.devicesOf(userId)));
    const asAdmins = looked.filter(({ asAdmin }) => asAdmin).map(({ userId }) => userId);
    const admins = await access.adminsAmong([...new Set(asAdmins)]);
    for (const stream of looked) {
      if (!streams.has(stream) || (stream.asAdmin && admins.has(stream.userId))) continue;
      const mine = byUser.get(stream.userId);
      if (mine === undefined) continue;
      for (const [deviceUuid, set] of [...watchers])
        if (set.has(stream) && !mine.has(deviceUuid)) revoke(stream, deviceUuid);
      if (stream.only !== undefined) continue;
      for (const deviceUuid of mine) {
        if (watchers.get(deviceUuid)?.has(stream) === true) continue;
        watch(stream, deviceUuid);
        changed(deviceUuid);
      }
    }
  };

  const stops = [
    state.onChange(changed),
    database.listen(
      'device',
      ({ deviceUuid }) => guard(recheckDevice(deviceUuid), 'rights were not checked again'),
      () => guard(recheckAll(), 'rights were not checked again'),
    ),
  ];
  const recheck = setInterval(() => {
    if (streams.size > 0) guard(recheckAll(), 'rights were not checked again');
  }, RECHECK_MS);
  const refresh = setInterval(() => {
    for (const deviceUuid of watchers.keys()) changed(deviceUuid);
  }, REFRESH_MS);

  const open = async (
    userId: number,
    only: string | undefined,
    asAdmin: boolean,
    devices: readonly string[],
  ): Promise<AsyncIterable<string>> => {
    const queue = createLatestQueue(() => remove(stream));
    const stream: Stream = { userId, queue, only, asAdmin };
    streams.add(stream);
    for (const deviceUuid of devices) watch(stream, deviceUuid);
    try {
      for (const deviceUuid of devices) {
        const frame = await frameOf(deviceUuid);
        const isWatching = watchers.get(deviceUuid)?.has(stream) === true;
        if (frame !== undefined && isWatching) queue.put(deviceUuid, frame);
      }
    } catch (error) {
      // Nobody gets this stream to end it.
      remove(stream);
      throw error;
    }
    return queue;
  };

  return {
    device: (deviceUuid, userId, asAdmin) => open(userId, deviceUuid, asAdmin, [deviceUuid]),
    user: async (userId) => open(userId, undefined, false, await access.devicesOf(userId)),
    async close() {
      clearInterval(recheck);
      clearInterval(refresh);
      for (const timer of timers) clearTimeout(timer);
      for (const stop of stops) stop();
      for (const stream of streams) stream.queue.end();
    },
  };
}
