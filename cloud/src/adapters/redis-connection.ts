import { setTimeout as wait } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import type { Logger } from '../ports/logger.ts';
import { StateStoreError } from '../ports/state-store.ts';
import type { RedisUrl } from '../state/redis-url.ts';
import { type RedisScripts, redisScripts } from './redis-scripts.ts';

export type RedisClient = (Redis | Cluster) & RedisScripts;

/** One Redis, or one cluster, for everything that a process keeps there. */
export interface RedisConnection {
  /**
   * Runs commands; refuses at once while Redis is away, so that nobody waits for what does not answer.
   * @throws {StateStoreError}
   */
  run<T>(task: (client: RedisClient) => Promise<T>): Promise<T>;
  healthy(): Promise<boolean>;
  /**
   * Calls back before anything else is run after an interruption: what Redis holds may be older than what was
   * written, as it may have restarted or another copy may have taken its place.
   */
  onReturn(returned: (client: RedisClient) => Promise<unknown>): void;
  close(): Promise<void>;
}

export interface RedisTimes {
  /** How long an answer may take. */
  readonly commandMs: number;
  /** Between looks whether it is there again. */
  readonly probeMs: number;
  /** How long callers wait for the first answer after the start. */
  readonly firstMs: number;
  /** A connection on which nothing comes back for so long is given up for a new one. */
  readonly silentMs: number;
}

const defaultTimes: RedisTimes = { commandMs: 1_500, probeMs: 250, firstMs: 5_000, silentMs: 5_000 };

/** A server that answers so cannot serve now; any other error reply is a mistake of ours. */
const NOT_SERVING =
  /^(LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MISCONF|OOM|NOREPLICAS|BUSY|NOAUTH|WRONGPASS)\b/;

/** Connects in the background: a Redis that is not there yet is one that is away. */
export function openRedisConnection(options: {
  readonly url: RedisUrl;
  /** Name of this process in Redis' list of clients. */
  readonly name: string;
  readonly log: Logger;
  readonly times?: Partial<RedisTimes>;
}): RedisConnection {
  const { url, log } = options;
  const times = { ...defaultTimes, ...options.times };
  const client = connect(url, options.name, times);
  const listeners: ((client: RedisClient) => Promise<unknown>)[] = [];
  const closing = new AbortController();
  let isAway = true;
  let isFirst = true;
  /** Something was refused since Redis answered last: what it holds lacks it. */
  let hasRefused = false;
  /** While it runs, nobody is refused: whoever comes now finds Redis as `onReturn` has left it. */
  let returning: Promise<unknown> | undefined;
  /** Why there is no connection: says more than the commands that fail without one. */
  let reason: string | undefined;

  const ping = async (): Promise<void> => {
    const nodes = client instanceof Cluster ? client.nodes('master') : [client];
    if (nodes.length === 0) throw new Error('no node of the cluster is known');
    // A node's own connection may be opened lazily and has a queue of its own.
    await within(times.commandMs, Promise.all(nodes.map((node) => node.ping())));
  };
  const lost = (error: Error) => {
    if (isAway) return;
    isAway = true;
    log.warn({ error: reason ?? error.message }, 'Redis is away: live state comes from the database');
    void probe();
  };
  const probe = async (): Promise<void> => {
    let silentSince = performance.now();
    while (!closing.signal.aborted) {
      try {
        await ping();
        returning = hasRefused || !isFirst ? welcome() : undefined;
        await returning;
        isAway = false;
        reason = undefined;
        hasRefused = false;
        log.info({}, isFirst ? 'Redis answers' : 'Redis answers again');
        isFirst = false;
        return;
      } catch (error) {
        complain(error as Error);
        if (performance.now() - silentSince > times.silentMs && client.status === 'ready') {
          silentSince = performance.now();
          client.disconnect(true);
        }
      }
      returning = undefined;
      await wait(times.probeMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  };
  let complaint: string | undefined;
  const complain = (error: Error) => {
    // Still connecting: what is wrong, if anything, is not known yet.
    if (reason === undefined && client.status !== 'ready') return;
    const text = reason ?? error.message;
    if (text !== complaint) log.warn({ error: text }, 'Redis does not answer');
    complaint = text;
  };
  const welcome = async (): Promise<void> => {
    for (const returned of listeners) await returned(client);
  };

  client.on('error', (error: Error & { lastNodeError?: Error }) => {
    reason = error.lastNodeError?.message ?? error.message;
  });
  if (client instanceof Cluster)
    // Another node may take over without any command having failed; what it did not copy is missing there.
    client.on('-node', () => lost(new Error('a node left the cluster')));
  client.on('close', () => lost(new Error('the connection ended')));
  const started = Promise.race([probe(), wait(times.firstMs, undefined, { ref: false })]);

  return {
    async run(task) {
      if (isFirst) await started;
      if (isAway) await returning?.catch(() => undefined);
      if (isAway) {
        hasRefused = true;
        throw new StateStoreError(`Redis does not answer: ${reason ?? 'no connection'}`);
      }
      try {
        return await within(times.commandMs, task(client));
      } catch (error) {
        if (!isAboutRedis(error)) throw error;
        lost(error as Error);
        throw new StateStoreError(`Redis does not answer: ${(error as Error).message}`, { cause: error });
      }
    },
    async healthy() {
      if (isAway) return false;
      try {
        await ping();
        return true;
      } catch (error) {
        lost(error as Error);
        return false;
      }
    },
    onReturn: (returned) => void listeners.push(returned),
    async close() {
      closing.abort();
      isAway = true;
      client.disconnect();
    },
  };
}

/** @throws when there is no answer in time */
function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      // Where this process itself stood still, the answer may have arrived long ago: it is read first.
      setImmediate(() => setImmediate(() => reject(new Error(`no answer within ${ms} ms`))));
    }, ms);
    void work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function isAboutRedis(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) return false;
  return error.name !== 'ReplyError' || NOT_SERVING.test(error.message);
}

function connect(url: RedisUrl, name: string, { commandMs }: RedisTimes): RedisClient {
  const retryMs = (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 5), 1_000);
  const [first] = url.nodes;
  const shared = {
    connectionName: name,
    connectTimeout: Math.max(commandMs, 2_000),
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    ...(url.username !== undefined && { username: url.username }),
    ...(url.password !== undefined && { password: url.password }),
    ...(url.tls !== undefined && { tls: { ...(url.tls.ca !== undefined && { ca: url.tls.ca }) } }),
  };
  if (url.nodes.length === 1)
    return new Redis({
      ...shared,
      ...first!,
      db: url.database,
      enableOfflineQueue: false,
      retryStrategy: retryMs,
      scripts: redisScripts,
    }) as unknown as RedisClient;
  return new Cluster([...url.nodes], {
    redisOptions: shared,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryMs,
    maxRedirections: 4,
    retryDelayOnFailover: 100,
    retryDelayOnClusterDown: 100,
    slotsRefreshTimeout: commandMs,
    slotsRefreshInterval: 5_000,
    // Certificates name hosts: let TLS see the name that was configured.
    ...(url.tls !== undefined && {
      dnsLookup: (address: string, done: (error: null, address: string) => void) => done(null, address),
    }),
    scripts: redisScripts,
  }) as unknown as RedisClient;
}
