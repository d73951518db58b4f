import { readFile } from 'node:fs/promises';
import { memoryRateLimiters } from './adapters/memory-rate-limiters.ts';
import { createMemoryStateStore } from './adapters/memory-state-store.ts';
import { openRedisConnection, type RedisConnection } from './adapters/redis-connection.ts';
import { createRedisRateLimiters } from './adapters/redis-rate-limiters.ts';
import { createRedisStateStore } from './adapters/redis-state-store.ts';
import { type CloudConfig, ConfigError } from './config.ts';
import type { Logger } from './ports/logger.ts';
import type { RateLimiters } from './ports/rate-limiter.ts';
import type { StateStore } from './ports/state-store.ts';
import { parseRedisUrl, type RedisUrl } from './state/redis-url.ts';

const IDLE_MS = 86_400_000;

/** What several processes share beside the database: one Redis, or none. */
export interface SharedMemory {
  readonly connection: RedisConnection;
  /** Begins every key, so that two clouds may share a server. */
  readonly prefix: string;
}

/**
 * Connects to the Redis that the settings name; `undefined` when they name none or no role of this process needs it. One that does not answer is waited
 * for in the background: readings are stored without it.
 * @throws {ConfigError} when the root certificate that REDIS_URL names cannot be read
 */
export async function openSharedMemory(
  config: Pick<CloudConfig, 'redisUrl' | 'roles'>,
  installationId: string,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<SharedMemory | undefined> {
  const isNeeded = config.roles.has('api') || config.roles.has('ingest');
  if (config.redisUrl === undefined || !isNeeded) return undefined;
  const url = await withRoot(parseRedisUrl(config.redisUrl));
  const connection = openRedisConnection({ url, name: `ares-${[...config.roles].join('-')}`, log });
  stack.defer(() => connection.close());
  return { connection, prefix: `ares:${installationId}:` };
}

/** Live state in Redis, or in the memory of this process. */
export function chooseStateStore(
  config: Pick<CloudConfig, 'stateIdleMs'>,
  shared: SharedMemory | undefined,
): StateStore {
  if (shared === undefined) return createMemoryStateStore();
  return createRedisStateStore({ ...shared, idleMs: config.stateIdleMs ?? IDLE_MS });
}

/** Limits that all processes count together, or each for itself. */
export function chooseRateLimiters(shared: SharedMemory | undefined): RateLimiters {
  return shared === undefined ? memoryRateLimiters : createRedisRateLimiters(shared);
}

async function withRoot(url: RedisUrl): Promise<RedisUrl> {
  const rootFile = url.tls?.rootFile;
  if (rootFile === undefined) return url;
  try {
    return { ...url, tls: { ...url.tls, ca: await readFile(rootFile, 'utf8') } };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new ConfigError(`cacert of REDIS_URL cannot be read: ${reason}`, { cause });
  }
}
