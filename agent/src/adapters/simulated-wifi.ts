import * as z from 'zod/mini';
import { type VisibleNetwork, type Wifi, type WifiCredentials, WifiError } from '../ports/wifi.ts';
import { readFileIfThere, removeDurableFile, writeDurableFile } from '../store/durable-file.ts';

const network = z.nullable(z.strictObject({ ssid: z.string(), password: z.optional(z.string()) }));
const fileSchema = z.strictObject({
  current: network,
  /** The network before the trial and the moment (epoch ms) at which it comes back by itself. */
  trial: z.nullable(z.strictObject({ before: network, until: z.number() })),
});
type State = z.infer<typeof fileSchema>;

const NETWORKS: readonly VisibleNetwork[] = [
  { ssid: 'greenhouse', signalDbm: -48, security: 'wpa' },
  { ssid: 'potting-shed', signalDbm: -67, security: 'wpa' },
  { ssid: 'visitors', signalDbm: -71, security: 'open' },
];

/**
 * Wi-Fi without a radio. It joins any network, except the SSID `nowhere` (not found), a password that begins with
 * `wrong`, and the SSID `no-address` (joins, but gives no address). Its state lies in one file, as
 * NetworkManager's does in its own, and an unfinished trial ends by itself in the same way.
 */
export function createSimulatedWifi({ path, now }: { path: string; now: () => number }): Wifi {
  const load = (): State => {
    const text = readFileIfThere(path);
    const parsed = text === undefined ? undefined : fileSchema.safeParse(JSON.parse(text));
    const state: State = parsed?.success ? parsed.data : { current: null, trial: null };
    return state.trial !== null && now() >= state.trial.until
      ? { current: state.trial.before, trial: null }
      : state;
  };
  const save = (state: State) => writeDurableFile(path, JSON.stringify(state));
  const rollbackTrial = async () => {
    const { trial } = load();
    if (trial !== null) save({ current: trial.before, trial: null });
  };
  return {
    scan: async () => NETWORKS,
    async beginTrial({ ssid, password }: WifiCredentials, { rollbackAfterMs, signal }) {
      signal.throwIfAborted();
      await rollbackTrial();
      if (ssid === 'nowhere') throw new WifiError('WIFI_NOT_FOUND', `The network ${ssid} is not in reach.`);
      if (password?.startsWith('wrong') === true) {
        throw new WifiError('WIFI_WRONG_PASSWORD', `The network ${ssid} refused the password.`);
      }
      save({
        current: { ssid, ...(password !== undefined && { password }) },
        trial: { before: load().current, until: now() + rollbackAfterMs },
      });
    },
    async waitForAddress() {
      if (load().current?.ssid === 'no-address') {
        throw new WifiError('ADDRESS_TIMEOUT', 'The network gave no address.');
      }
    },
    inTrial: async () => load().trial !== null,
    async commitTrial() {
      const { current, trial } = load();
      if (trial !== null) save({ current, trial: null });
    },
    rollbackTrial,
    forgetAll: async () => removeDurableFile(path),
  };
}
