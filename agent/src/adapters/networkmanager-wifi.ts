import { type Clock, delay } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { type VisibleNetwork, type Wifi, type WifiCredentials, WifiError } from '../ports/wifi.ts';
import { ABSENT, activate, DENIED } from './networkmanager/activate.ts';
import {
  type BusObjects,
  createNetworkManagerBus,
  type NetworkManagerBus,
  NetworkManagerError,
  NM,
  NM_PATH,
  NM_SETTINGS_PATH,
} from './networkmanager/bus.ts';
import {
  ACTIVE_ACTIVATED,
  ACTIVE_ACTIVATING,
  checkpointsOf,
  STATE_ACTIVATED,
  STATE_IP_CONFIG,
  visibleNetworks,
  type WifiDevice,
  wifiDevices,
} from './networkmanager/networks.ts';
import {
  addConnectionArguments,
  deleteProfile,
  keepProfile,
  ownProfiles,
} from './networkmanager/profiles.ts';
import { createWifiRecord, type WifiRecord, type WifiTrial } from './networkmanager/record.ts';
import type { RunProgram } from './run-program.ts';

/** CheckpointCreate: at a rollback NetworkManager deletes the profiles made since. */
const DELETE_NEW_CONNECTIONS = '2';
const SCAN_PATIENCE_MS = 10_000;
/** NetworkManager itself gives a network 45 s for an address. */
const ADDRESS_PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 500;
/** NetworkManager is given so long to return to the network before by itself. */
const RETURN_PATIENCE_MS = 15_000;
/** Looks in a row at a device that does nothing before it is helped. */
const IDLE_LOOKS = 3;

/**
 * Wi-Fi by NetworkManager (1.42 and later). A trial is a checkpoint, which NetworkManager rolls back by itself when
 * nobody commits, and a profile that lives in memory until then. Which checkpoint is ours is kept in `recordPath`,
 * so that a later process can end it.
 */
export function createNetworkManagerWifi(ports: {
  readonly run: RunProgram;
  readonly recordPath: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly uuid: () => string;
  /** Whether any interface, a cable's too, has an address that leads somewhere. */
  readonly hasAddress: () => boolean;
}): Wifi {
  const wifi = new NetworkManagerWifi(ports);
  return {
    scan: (signal) => worded(wifi.scan(signal)),
    beginTrial: (credentials, options) => worded(wifi.beginTrial(credentials, options)),
    waitForAddress: (signal) => worded(wifi.waitForAddress(signal)),
    inTrial: () => worded(wifi.inTrial()),
    commitTrial: () => worded(wifi.commitTrial()),
    rollbackTrial: () => worded(wifi.rollbackTrial()),
    forgetAll: () => worded(wifi.forgetAll()),
  };
}

type Ports = Parameters<typeof createNetworkManagerWifi>[0];

class NetworkManagerWifi {
  readonly #ports: Ports;
  readonly #bus: NetworkManagerBus;
  readonly #record: ReturnType<typeof createWifiRecord>;

  constructor(ports: Ports) {
    this.#ports = ports;
    this.#bus = createNetworkManagerBus(ports.run);
    this.#record = createWifiRecord(ports.recordPath);
  }

  async scan(signal: AbortSignal): Promise<readonly VisibleNetwork[]> {
    const device = await this.#scanned(await this.#device(signal), signal);
    return visibleNetworks(device.accessPoints);
  }

  async beginTrial(
    credentials: WifiCredentials,
    { rollbackAfterMs, signal }: { readonly rollbackAfterMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    signal.throwIfAborted();
    await this.rollbackTrial();
    const { ssid, password } = credentials;
    let device = await this.#device(signal);
    const hears = (at: WifiDevice) => at.accessPoints.filter((point) => point.ssid === ssid);
    if (hears(device).length === 0) device = await this.#scanned(device, signal);
    const points = hears(device);
    if (password === undefined && points.length > 0 && points.every(({ security }) => security !== 'open')) {
      throw new WifiError('WIFI_WRONG_PASSWORD', `The network ${ssid} asks for a password.`);
    }
    const uuid = this.#ports.uuid();
    await this.#openCheckpoint(device, uuid, Math.ceil(rollbackAfterMs / 1_000), signal);
    try {
      const heard = points.find(({ keyManagement }) => keyManagement === 'wpa-psk') ?? points[0];
      await this.#bus.call(
        NM_SETTINGS_PATH,
        `${NM}.Settings`,
        'AddConnection2',
        addConnectionArguments({
          uuid,
          ssid,
          interfaceName: device.interfaceName,
          hidden: heard === undefined,
          keyManagement: heard?.keyManagement ?? (password === undefined ? undefined : 'wpa-psk'),
        }),
        signal,
      );
      await activate(this.#ports, {
        uuid,
        interfaceName: device.interfaceName,
        ssid,
        passphrase: password,
        signal,
        joined: async (inner) => {
          const now = wifiDevices(await this.#bus.objects(inner)).find(({ path }) => path === device.path);
          return now?.active?.uuid === uuid && isConnected(now);
        },
      });
    } catch (cause) {
      await this.rollbackTrial().catch((error: unknown) =>
        this.#ports.logger.warn('a Wi-Fi trial ends by its time limit', { cause: error }),
      );
      throw cause;
    }
  }

  async waitForAddress(signal: AbortSignal): Promise<void> {
    const { trial } = this.#record.load();
    const { clock } = this.#ports;
    const until = clock.monotonicMs() + ADDRESS_PATIENCE_MS;
    while (clock.monotonicMs() < until) {
      if (trial === null) {
        if (this.#ports.hasAddress()) return;
      } else {
        const device = wifiDevices(await this.#bus.objects(signal)).find(
          ({ path }) => path === trial.devicePath,
        );
        const active = device?.active?.uuid === trial.uuid ? device.active : undefined;
        if (active?.state === ACTIVE_ACTIVATED) return;
        if (active?.state !== ACTIVE_ACTIVATING) break;
      }
      await delay(clock, LOOK_EVERY_MS, signal);
    }
    throw new WifiError(
      'ADDRESS_TIMEOUT',
      trial === null ? 'No network has given the device an address.' : 'The network gave no address.',
    );
  }

  async inTrial(): Promise<boolean> {
    return (await this.#present()) !== undefined;
  }

  async commitTrial(): Promise<void> {
    const present = await this.#present();
    const { trial } = this.#record.load();
    if (present === undefined || trial === null)
      return this.#record.save({ ...this.#record.load(), trial: null });
    const own = await ownProfiles(this.#bus);
    const kept = own.get(trial.uuid);
    if (kept === undefined) throw new WifiError('WIFI_FAILED', 'The network of the trial is gone.');
    this.#record.save({ v: 1, kept: true, trial: { ...trial, committed: true } });
    await keepProfile(this.#bus, kept);
    for (const path of present.checkpoints) await this.#checkpoint('CheckpointDestroy', path);
    for (const [uuid, path] of own) {
      if (uuid !== trial.uuid) await deleteProfile(this.#bus, path);
    }
    this.#record.save({ v: 1, kept: true, trial: null });
  }

  async rollbackTrial(): Promise<void> {
    const record = this.#record.load();
    if (record.trial === null) return;
    const present = await this.#present();
    if (present !== undefined) {
      for (const path of present.checkpoints) await this.#checkpoint('CheckpointRollback', path);
      // What is left of it when NetworkManager was started anew and knows no checkpoint any more.
      const path = (await ownProfiles(this.#bus)).get(record.trial.uuid);
      if (path !== undefined) await deleteProfile(this.#bus, path);
    }
    await this.#returnTo(record.trial);
    this.#record.save({ ...record, trial: null });
  }

  /** Helps where NetworkManager does not return by itself, as to a profile that somebody has changed since. */
  async #returnTo({ devicePath, before, committed }: WifiTrial): Promise<void> {
    if (before === undefined || committed) return;
    const { clock } = this.#ports;
    const until = clock.monotonicMs() + RETURN_PATIENCE_MS;
    for (let idle = 0; clock.monotonicMs() < until; await delay(clock, LOOK_EVERY_MS)) {
      const objects = await this.#bus.objects().catch(() => ({}) as BusObjects);
      const device = wifiDevices(objects).find(({ path }) => path === devicePath);
      if (device === undefined || isConnected(device)) return;
      idle = device.idle ? idle + 1 : 0;
      if (idle < IDLE_LOOKS) continue;
      await this.#bus
        .call(NM_SETTINGS_PATH, `${NM}.Settings`, 'GetConnectionByUuid', ['s', before])
        .then(([path]) =>
          this.#bus.call(NM_PATH, NM, 'ActivateConnection', ['ooo', String(path), devicePath, '/']),
        )
        .catch((cause: unknown) =>
          this.#ports.logger.warn('the network before does not come back', { cause }),
        );
      return;
    }
  }

  async forgetAll(): Promise<void> {
    await this.rollbackTrial();
    const record = this.#record.load();
    try {
      for (const path of (await ownProfiles(this.#bus)).values()) await deleteProfile(this.#bus, path);
    } catch (cause) {
      // Where there is no NetworkManager and never was, there is nothing to forget.
      if (record.kept || !(cause instanceof NetworkManagerError && cause.code === 'ABSENT')) throw cause;
    }
    this.#record.save({ v: 1, kept: false, trial: null });
  }

  /** What of the recorded trial is still there; `undefined`: nothing. */
  async #present(): Promise<{ readonly checkpoints: readonly string[] } | undefined> {
    const { trial } = this.#record.load();
    if (trial === null) return undefined;
    try {
      const checkpoints = ownCheckpoints(await this.#bus.objects(), trial);
      if (checkpoints.length > 0) return { checkpoints };
      if (trial.committed) return undefined;
      return (await ownProfiles(this.#bus)).has(trial.uuid) ? { checkpoints } : undefined;
    } catch (cause) {
      // Checkpoints end with NetworkManager; what it left is cleared away when it runs again.
      if (cause instanceof NetworkManagerError && cause.code === 'ABSENT') return undefined;
      throw cause;
    }
  }

  /** From here on the network before comes back in time, whatever happens to this process. */
  async #openCheckpoint(
    { path: devicePath, active }: WifiDevice,
    uuid: string,
    seconds: number,
    signal: AbortSignal,
  ): Promise<void> {
    for (const path of checkpointsOf(await this.#bus.objects(signal), devicePath).keys()) {
      await this.#checkpoint('CheckpointRollback', path);
    }
    const save = (checkpoint: WifiTrial['checkpoint']) => {
      const record: WifiRecord = this.#record.load();
      const before = active === undefined ? {} : { before: active.uuid };
      this.#record.save({ ...record, trial: { uuid, devicePath, ...before, checkpoint, committed: false } });
    };
    save(null);
    const args = ['aouu', '1', devicePath, String(seconds), DELETE_NEW_CONNECTIONS];
    const [path] = await this.#bus.call(NM_PATH, NM, 'CheckpointCreate', args);
    const created = checkpointsOf(await this.#bus.objects(), devicePath).get(String(path)) ?? 0;
    save({ path: String(path), created });
  }

  async #checkpoint(method: 'CheckpointRollback' | 'CheckpointDestroy', path: string): Promise<void> {
    await this.#bus.call(NM_PATH, NM, method, ['o', path]).catch((cause: unknown) => {
      // Its time ran out in between.
      if (!(cause instanceof NetworkManagerError && /does not exist/.test(cause.message))) throw cause;
    });
  }

  async #device(signal: AbortSignal): Promise<WifiDevice> {
    const objects = await this.#bus.objects(signal);
    const device = wifiDevices(objects)[0];
    if (device === undefined) throw new WifiError('WIFI_FAILED', 'This device has no Wi-Fi adapter.');
    const { interfaceName } = device;
    if (!device.managed) {
      throw new WifiError(
        'WIFI_FAILED',
        `NetworkManager is told to leave ${interfaceName} alone; let it manage the adapter (nmcli device set ${interfaceName} managed yes).`,
      );
    }
    if (objects[NM_PATH]?.[NM]?.WirelessEnabled === false) {
      throw new WifiError('WIFI_FAILED', 'Wi-Fi is switched off on this device (nmcli radio wifi on).');
    }
    if (objects[NM_PATH]?.[NM]?.WirelessHardwareEnabled === false || !device.usable) {
      throw new WifiError(
        'WIFI_FAILED',
        `The Wi-Fi adapter ${interfaceName} cannot be used: blocked (rfkill list), or without its country or firmware.`,
      );
    }
    return device;
  }

  /** The device after a fresh look around; as it was when it may not look now. */
  async #scanned(device: WifiDevice, signal: AbortSignal): Promise<WifiDevice> {
    const { clock } = this.#ports;
    const until = clock.monotonicMs() + SCAN_PATIENCE_MS;
    const asked = await this.#bus
      .call(device.path, `${NM}.Device.Wireless`, 'RequestScan', ['a{sv}', '0'], signal)
      .then(() => true)
      .catch((cause: unknown) => {
        // It does not look again right after a look.
        if (cause instanceof NetworkManagerError && cause.code === 'FAILED') return false;
        throw cause;
      });
    for (;;) {
      const now = wifiDevices(await this.#bus.objects(signal)).find(({ path }) => path === device.path);
      if (now === undefined) return device;
      if (!asked || now.lastScan > device.lastScan || clock.monotonicMs() >= until) return now;
      await delay(clock, LOOK_EVERY_MS, signal);
    }
  }
}

/** The access point has let it in, and it is not leaving. */
function isConnected({ state }: WifiDevice): boolean {
  return state >= STATE_IP_CONFIG && state <= STATE_ACTIVATED;
}

/** Checkpoints are numbered anew when NetworkManager starts, so the path alone does not tell. */
function ownCheckpoints(objects: BusObjects, { devicePath, checkpoint }: WifiTrial): readonly string[] {
  const there = checkpointsOf(objects, devicePath);
  if (checkpoint === null) return [...there.keys()];
  return there.get(checkpoint.path) === checkpoint.created ? [checkpoint.path] : [];
}

/** The words of NetworkManager as those of the Bluetooth conversation. */
async function worded<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof NetworkManagerError)) throw cause;
    const said = { ABSENT, DENIED, FAILED: `NetworkManager refused: ${cause.message}` }[cause.code];
    throw new WifiError('WIFI_FAILED', said, { cause });
  }
}
