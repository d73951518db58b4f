import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort } from '../support/ares-process.ts';
import { hasMosquitto, mosquittoPlugin, startMosquittoServer } from '../support/mosquitto-server.ts';
import { hasRedis, startRedisServer } from '../support/redis-server.ts';

/** Mosquitto and Redis of one cloud, in processes of their own. */
export interface BenchServices {
  /** Settings of the cloud that uses them. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts Mosquitto as soon as the cloud has written its files. */
  ready(): Promise<void>;
  pids(): readonly number[];
  stop(): Promise<void>;
}

/**
 * @param options.home of the cloud
 * @param options.mqttPort where devices connect
 * @throws {Error} when one of them is not on this machine
 */
export async function startBenchServices(options: {
  readonly home: string;
  readonly mqttPort: number;
}): Promise<BenchServices> {
  if (!hasMosquitto() || !hasRedis())
    throw new Error('mosquitto and redis-server are needed: apt-get install mosquitto redis-server');
  const folder = join(options.home, 'cloud', 'mosquitto');
  const redis = await startRedisServer();
  let mosquitto: Awaited<ReturnType<typeof startMosquittoServer>> | undefined;
  return {
    env: {
      REDIS_URL: redis.url,
      ARES_BROKER: 'mosquitto',
      ARES_MOSQUITTO_SERVICE_PORT: String(await freePort()),
      ARES_MOSQUITTO_PLUGIN: mosquittoPlugin(),
    },
    async ready() {
      // The last of what it needs.
      const isWritten = () => existsSync(join(folder, 'service-passwords'));
      await eventually('the files of Mosquitto are there', isWritten, 60_000);
      mosquitto = await startMosquittoServer(folder, options.mqttPort);
    },
    pids: () => [redis.pid(), mosquitto?.pid()].filter((pid) => pid !== undefined),
    async stop() {
      await mosquitto?.stop();
      await redis.stop();
    },
  };
}
