import type { ProgramResult, RunProgram } from '../../src/adapters/run-program.ts';
import type { FakeClock } from './fake-clock.ts';

/*
 * Answers busctl and nmcli as NetworkManager 1.42 does; the texts and the JSON are those of a real one.
 */

export interface FakeAccessPoint {
  readonly ssid: Uint8Array;
  readonly strength: number;
  readonly flags?: number;
  readonly wpaFlags?: number;
  readonly rsnFlags?: number;
  readonly password?: string;
  readonly noAddress?: boolean;
  /** In reach, but not in the list. */
  readonly silent?: boolean;
}

interface Profile {
  readonly uuid: string;
  readonly settings: Record<string, Record<string, unknown>>;
  readonly inMemory: boolean;
  /** The settings with which it was joined. */
  readonly joinedAs?: Profile['settings'];
  readonly psk?: string | undefined;
}

interface Checkpoint {
  readonly created: number;
  readonly until: number;
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly active: string | undefined;
}

const P = '/org/freedesktop/NetworkManager';
const DEVICE = `${P}/Devices/3`;
const NM = 'org.freedesktop.NetworkManager';
const ok = (stdout = ''): ProgramResult => ({ code: 0, stdout, stderr: '' });
const json = (type: string, ...data: unknown[]) => ok(`${JSON.stringify({ type, data })}\n`);
const failed = (message: string): ProgramResult => ({
  code: 1,
  stdout: '',
  stderr: `Call failed: ${message}\n`,
});
const nmcli = (code: number, stderr: string): ProgramResult => ({ code, stdout: '', stderr: `${stderr}\n` });

export class FakeNetworkManager {
  readonly calls: { readonly file: string; readonly args: readonly string[]; readonly input?: string }[] = [];
  accessPoints: readonly FakeAccessPoint[] = [];
  profiles = new Map<string, Profile>();
  checkpoints = new Map<string, Checkpoint>();
  /** UUID of the profile that the device is on. */
  active: string | undefined;
  deviceState = 100;
  running = true;
  hasDevice = true;
  /** What stands in the way of the next calls. */
  refuse: ((args: readonly string[]) => ProgramResult | undefined) | undefined;
  #counter = 0;
  #monitor: ((text: string) => void) | undefined;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  readonly run: RunProgram = async (file, args, { signal, secretInput, onOutput }) => {
    signal?.throwIfAborted();
    this.calls.push({ file, args, ...(secretInput !== undefined && { input: secretInput }) });
    this.#expire();
    if (!this.running) {
      return file === 'busctl'
        ? failed('The name org.freedesktop.NetworkManager was not provided by any .service files')
        : nmcli(8, 'Error: NetworkManager is not running.');
    }
    const refused = this.refuse?.(args);
    if (refused !== undefined) return refused;
    if (file === 'busctl') return this.#bus(args.slice(4));
    if (args.includes('monitor')) {
      this.#monitor = onOutput;
      return untilAborted(signal);
    }
    return this.#up(args, secretInput, signal);
  };

  /** What a restart of NetworkManager leaves. */
  restart(): void {
    this.checkpoints.clear();
    this.#counter = 0;
  }

  currentSsid(): string | undefined {
    this.#expire();
    const profile = [...this.profiles.values()].find(({ uuid }) => uuid === this.active);
    return profile && Buffer.from(profile.settings['802-11-wireless']?.ssid as number[]).toString();
  }

  /** A network that the administrator set up. */
  install(uuid: string, ssid: string): void {
    const settings = {
      connection: { uuid, autoconnect: true },
      '802-11-wireless': { ssid: [...Buffer.from(ssid)] },
    };
    this.profiles.set(`${P}/Settings/${++this.#counter}`, {
      uuid,
      settings,
      inMemory: false,
      joinedAs: settings,
    });
    this.active = uuid;
  }

  /** The administrator changes something of the present profile. */
  touch(): void {
    for (const [path, profile] of this.profiles)
      if (profile.uuid === this.active)
        this.profiles.set(path, { ...profile, settings: { ...profile.settings } });
  }

  #expire(): void {
    for (const [path, { until }] of this.checkpoints)
      if (this.#clock.monotonicMs() >= until) this.#rollback(path);
  }

  #rollback(path: string): void {
    const checkpoint = this.checkpoints.get(path);
    if (checkpoint === undefined) return;
    this.checkpoints.delete(path);
    this.profiles = new Map(checkpoint.profiles);
    const before = [...this.profiles.values()].find(({ uuid }) => uuid === checkpoint.active);
    // "no secrets: The connection was modified since activation"
    this.active = before?.joinedAs === before?.settings ? checkpoint.active : undefined;
    this.deviceState = this.active === undefined ? 30 : 100;
  }

  #bus([, path = '', , method, ...rest]: readonly string[]): ProgramResult {
    switch (method) {
      case 'GetManagedObjects':
        return json('a{oa{sa{sv}}}', this.#objects());
      case 'RequestScan':
        return ok();
      case 'ListConnections':
        return json('ao', [...this.profiles.keys()]);
      case 'GetSettings':
        return this.#settings(path);
      case 'GetConnectionByUuid': {
        const [at] = [...this.profiles].find(([, { uuid }]) => uuid === rest[1]) ?? [];
        return at === undefined ? failed('No connection with the UUID was found.') : json('o', at);
      }
      case 'ActivateConnection':
        this.active = this.profiles.get(rest[1] ?? '')?.uuid;
        this.deviceState = 100;
        return json('o', `${P}/ActiveConnection/1`);
      case 'Update2': {
        const profile = this.profiles.get(path);
        if (profile === undefined || rest.slice(1).join(' ') !== '0 1 0') return failed('bad Update2');
        this.profiles.set(path, { ...profile, inMemory: false });
        return json('a{sv}', {});
      }
      case 'Delete':
        if (this.profiles.get(path)?.uuid === this.active) this.active = undefined;
        this.profiles.delete(path);
        return ok();
      case 'AddConnection2':
        return this.#add(rest);
      case 'CheckpointCreate': {
        const [held] = this.checkpoints.keys();
        if (held !== undefined) return failed(`device 'wlan0' is already included in checkpoint ${held}`);
        const created = Math.round(this.#clock.monotonicMs());
        const until = created + Number(rest[3]) * 1_000;
        const at = `${P}/Checkpoint/${this.checkpoints.size + 1}`;
        this.checkpoints.set(at, { created, until, profiles: new Map(this.profiles), active: this.active });
        return json('o', at);
      }
      case 'CheckpointRollback':
      case 'CheckpointDestroy': {
        const at = rest[1] ?? '';
        if (!this.checkpoints.has(at)) return failed(`checkpoint ${at} does not exist`);
        if (method === 'CheckpointDestroy') this.checkpoints.delete(at);
        else this.#rollback(at);
        return json('a{su}', { [DEVICE]: 0 });
      }
      default:
        return failed(`Unknown method ${method}`);
    }
  }

  #settings(path: string): ProgramResult {
    const profile = this.profiles.get(path);
    if (profile === undefined) return failed(`Object does not exist at path “${path}”`);
    const typed = Object.fromEntries(
      Object.entries(profile.settings).map(([name, section]) => [
        name,
        Object.fromEntries(Object.entries(section).map(([key, data]) => [key, { type: typeof data, data }])),
      ]),
    );
    return json('a{sa{sv}}', typed);
  }

  #add(args: readonly string[]): ProgramResult {
    const words = args.slice(1);
    const take = () => words.shift() ?? '';
    const value = (type: string): unknown => {
      if (type === 's') return take();
      if (type === 'b') return take() === 'true';
      if (type === 'i') return Number(take());
      const count = Number(take());
      if (type === 'ay') return Array.from({ length: count }, () => Number(take()));
      return Object.fromEntries(Array.from({ length: count }, () => [take(), take()]));
    };
    const settings: Record<string, Record<string, unknown>> = {};
    for (let sections = Number(take()); sections > 0; sections--) {
      const section: Record<string, unknown> = {};
      settings[take()] = section;
      for (let keys = Number(take()); keys > 0; keys--) {
        const key = take();
        section[key] = value(take());
      }
    }
    const path = `${P}/Settings/${++this.#counter + 10}`;
    this.profiles.set(path, {
      uuid: String(settings.connection?.uuid),
      settings,
      inMemory: (Number(take()) & 2) !== 0,
    });
    return json('oa{sv}', path, {});
  }

  #up(
    args: readonly string[],
    input: string | undefined,
    signal: AbortSignal | undefined,
  ): ProgramResult | Promise<ProgramResult> {
    const uuid = args[args.indexOf('uuid') + 1];
    const [path, profile] = [...this.profiles].find(([, { uuid: at }]) => at === uuid) ?? [];
    if (path === undefined || profile === undefined) return nmcli(10, `Error: unknown connection '${uuid}'.`);
    const wanted = Buffer.from(profile.settings['802-11-wireless']?.ssid as number[]);
    const network = this.accessPoints.find(({ ssid }) => Buffer.from(ssid).equals(wanted));
    const hint = `Hint: use 'journalctl -xe NM_CONNECTION=${uuid} + NM_DEVICE=wlan0' to get more details.`;
    this.active = undefined;
    this.deviceState = 30;
    if (network === undefined) {
      return nmcli(4, `Error: Connection activation failed: The Wi-Fi network could not be found\n${hint}`);
    }
    const psk = secretOf(input);
    if (psk === undefined && network.password !== undefined) {
      return nmcli(
        4,
        `Error: Connection activation failed: Secrets were required, but not provided\n${hint}`,
      );
    }
    if (psk !== network.password) {
      // It asks again, and nmcli answers the same again.
      const round = ['(prepare)', '(configuring)', '(need authentication)'].map(
        (state) => `wlan0: connecting ${state}\n`,
      );
      this.#monitor?.(["wlan0: using connection 'x'\n", ...round, ...round].join(''));
      return untilAborted(signal);
    }
    this.profiles.set(path, { ...profile, psk, joinedAs: profile.settings });
    this.active = uuid;
    this.deviceState = network.noAddress === true ? 70 : 100;
    return ok('Connection successfully activated\n');
  }

  #objects(): Record<string, unknown> {
    const points = this.accessPoints.filter(({ silent }) => silent !== true);
    const typed = (values: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(values).map(([key, data]) => [key, { type: typeof data, data }]));
    const pointPath = (at: number) => `${P}/AccessPoint/${at}`;
    return {
      [P]: { [NM]: typed({ WirelessEnabled: true, WirelessHardwareEnabled: true }) },
      [`${P}/Devices/2`]: { [`${NM}.Device`]: typed({ DeviceType: 1, Interface: 'eth0', State: 100 }) },
      ...(this.hasDevice && {
        [DEVICE]: {
          [`${NM}.Device`]: typed({
            DeviceType: 2,
            Interface: 'wlan0',
            State: this.deviceState,
            ActiveConnection: this.active === undefined ? '/' : `${P}/ActiveConnection/1`,
          }),
          [`${NM}.Device.Wireless`]: typed({
            LastScan: Math.round(this.#clock.monotonicMs()),
            AccessPoints: points.map((_, at) => pointPath(at)),
          }),
        },
      }),
      ...(this.active !== undefined && {
        [`${P}/ActiveConnection/1`]: {
          [`${NM}.Connection.Active`]: typed({ Uuid: this.active, State: this.deviceState === 100 ? 2 : 1 }),
        },
      }),
      ...Object.fromEntries(
        points.map(({ ssid, strength, flags = 0, wpaFlags = 0, rsnFlags = 0 }, at) => [
          pointPath(at),
          {
            [`${NM}.AccessPoint`]: typed({
              Ssid: [...ssid],
              Strength: strength,
              Flags: flags,
              WpaFlags: wpaFlags,
              RsnFlags: rsnFlags,
            }),
          },
        ]),
      ),
      ...Object.fromEntries(
        [...this.checkpoints].map(([path, { created }]) => [
          path,
          { [`${NM}.Checkpoint`]: typed({ Devices: [DEVICE], Created: created }) },
        ]),
      ),
    };
  }
}

function untilAborted(signal: AbortSignal | undefined): Promise<ProgramResult> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
}

/** The passphrase as nmcli 1.42 reads a passwd-file: spaces stripped, backslashes read. */
export function secretOf(passwdFile: string | undefined): string | undefined {
  const line = /^802-11-wireless-security\.psk:(.*)\n$/s.exec(passwdFile ?? '')?.[1];
  if (line === undefined) return undefined;
  const bytes: number[] = [];
  for (let at = 0, text = line.trim(); at < text.length; at++) {
    const octal = /^\\([0-7]{1,3})/.exec(text.slice(at))?.[1];
    bytes.push(octal === undefined ? text.charCodeAt(at) : Number.parseInt(octal, 8));
    at += octal?.length ?? 0;
  }
  return Buffer.from(bytes).toString('utf8');
}
