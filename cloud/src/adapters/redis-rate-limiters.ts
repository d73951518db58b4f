import { createHash } from 'node:crypto';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { RateLimiter, RateLimiters } from '../ports/rate-limiter.ts';
import { StateStoreError } from '../ports/state-store.ts';
import { memoryRateLimiter } from './memory-rate-limiters.ts';
import { cannotCount, toRefusal } from './rate-limit-refusal.ts';
import type { RedisConnection } from './redis-connection.ts';

/** Counters in Redis, the same for all processes. Addresses and e-mails are hashed: nobody reads them there. */
export function createRedisRateLimiters(options: {
  readonly connection: RedisConnection;
  /** Begins every key, so that two clouds may share a server. */
  readonly prefix: string;
}): RateLimiters {
  const { connection, prefix } = options;
  const run = <T>(counter: (client: unknown) => Promise<T>) => connection.run(counter);

  return {
    limiter(name, limit, counting): RateLimiter {
      const here = memoryRateLimiter(limit);
      if (counting === 'onlyHere') return here;
      let counter: RateLimiterRedis | undefined;
      const counterOn = (storeClient: unknown) => {
        counter ??= new RateLimiterRedis({
          storeClient,
          keyPrefix: `${prefix}limit:${name}`,
          points: limit.points,
          duration: limit.seconds,
        });
        return counter;
      };
      const hidden = (key: string) => createHash('sha256').update(key).digest('base64url').slice(0, 32);
      const quietly = async (step: (counter: RateLimiterRedis) => Promise<unknown>): Promise<void> => {
        try {
          await run((client) => step(counterOn(client)));
        } catch (error) {
          if (!(error instanceof StateStoreError)) throw error;
        }
      };
      return {
        async consume(key) {
          try {
            await run((client) => counterOn(client).consume(hidden(key)));
          } catch (thrown) {
            if (!(thrown instanceof StateStoreError)) throw toRefusal(thrown);
            if (counting === 'refuse') throw cannotCount(thrown);
            await here.consume(key);
          }
        },
        async reward(key) {
          await here.reward(key);
          await quietly((shared) => shared.reward(hidden(key)));
        },
        async delete(key) {
          await here.delete(key);
          await quietly((shared) => shared.delete(hidden(key)));
        },
      };
    },
  };
}
