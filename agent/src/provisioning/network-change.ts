import type { Trust } from '../identity/types.ts';
import type { ChildJobs } from '../ports/child-jobs.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { NetworkChange } from '../ports/network-changer.ts';
import type { Wifi, WifiCredentials } from '../ports/wifi.ts';
import type { FailSafeConfig } from './fail-safe.ts';
import type { Progress } from './progress.ts';
import { runAll } from './small-transactions.ts';

/** Changes the network of a device that has an owner, one change at a time, whoever asked for it. */
export interface NetworkChanger {
  readonly busy: boolean;
  /**
   * Joins the network on trial and keeps it when the cloud answered over it; else the former one is back, whatever
   * happens to this process meanwhile. Never throws.
   */
  change(
    wifi: WifiCredentials,
    options: {
      readonly apiUrl: string | undefined;
      /** Where a phone reads how it goes. */
      readonly progress?: Progress | undefined;
      /** Another proof that the cloud is reached. */
      proven?(signal: AbortSignal): Promise<void>;
      readonly signal: AbortSignal;
    },
  ): Promise<NetworkChange>;
}

export function createNetworkChanger(ports: {
  readonly wifi: Wifi;
  readonly jobs: ChildJobs;
  readonly trust: Trust;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: FailSafeConfig;
}): NetworkChanger {
  const { wifi, jobs, trust, config, logger } = ports;
  let busy = false;

  const attempt: NetworkChanger['change'] = async (credentials, options) => {
    const { apiUrl, progress, proven, signal } = options;
    const reach = async (inner: AbortSignal) => {
      if (apiUrl === undefined) return;
      const endpoint = { apiUrl, caCertificates: trust.caCertificates };
      await jobs.run('reach', { endpoint }, { signal: inner, timeoutMs: 30_000 });
    };
    const rollbackAfterMs = config.cumulativeMs;
    const failure = await runAll(
      { ...ports, progress },
      [
        ['wifi', (inner) => wifi.beginTrial(credentials, { rollbackAfterMs, signal: inner })],
        ['address', (inner) => wifi.waitForAddress(inner)],
        ['tls', reach],
        ...(proven === undefined ? [] : ([['broker', proven]] as const)),
      ],
      signal,
    );
    if (failure === undefined) {
      await wifi.commitTrial();
      return { outcome: 'kept' };
    }
    await wifi.rollbackTrial();
    return { outcome: 'undone', code: failure.code, detail: failure.message };
  };

  return {
    get busy() {
      return busy;
    },
    async change(credentials, options) {
      if (busy) return { outcome: 'busy' };
      busy = true;
      try {
        return await attempt(credentials, options);
      } catch (cause) {
        // Kept or undone only half: the time limit of the trial ends it on the former network.
        logger.error('a change of network was not brought to its end', { cause });
        const detail = cause instanceof Error ? cause.message : String(cause);
        return { outcome: 'undone', code: 'INTERNAL', detail };
      } finally {
        busy = false;
      }
    },
  };
}
