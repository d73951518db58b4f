import { type Clock, delay } from '../ports/clock.ts';
import { type Wifi, WifiError } from '../ports/wifi.ts';

const ADDRESS_PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 500;

/** A device whose network is its administrator's business: nothing is joined, nothing forgotten. */
export function createUnmanagedWifi({
  clock,
  hasAddress,
}: {
  readonly clock: Clock;
  /** Whether any interface has an address that leads somewhere. */
  readonly hasAddress: () => boolean;
}): Wifi {
  const refuse = () =>
    Promise.reject(
      new WifiError(
        'WIFI_FAILED',
        'The network of this device is set by its administrator (wifi: none). Set it up with the network it has.',
      ),
    );
  return {
    scan: async () => [],
    beginTrial: refuse,
    async waitForAddress(signal) {
      const until = clock.monotonicMs() + ADDRESS_PATIENCE_MS;
      while (!hasAddress()) {
        if (clock.monotonicMs() >= until) {
          throw new WifiError(
            'ADDRESS_TIMEOUT',
            'No network has given the device an address. Is the cable in?',
          );
        }
        await delay(clock, LOOK_EVERY_MS, signal);
      }
    },
    inTrial: async () => false,
    commitTrial: async () => undefined,
    rollbackTrial: async () => undefined,
    forgetAll: async () => undefined,
  };
}
