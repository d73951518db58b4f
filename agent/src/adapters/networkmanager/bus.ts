import type { RunProgram } from '../run-program.ts';

/** Why NetworkManager did not do it. */
export type NetworkManagerErrorCode =
  /** It does not run, or is not installed. */
  | 'ABSENT'
  /** The polkit rule of the package is not there. */
  | 'DENIED'
  | 'FAILED';

export class NetworkManagerError extends Error {
  override readonly name = 'NetworkManagerError';
  readonly code: NetworkManagerErrorCode;

  constructor(code: NetworkManagerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Interface → property → value. */
export type BusObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
/** Object path → what it is. */
export type BusObjects = Readonly<Record<string, BusObject>>;

export const NM = 'org.freedesktop.NetworkManager';
export const NM_PATH = '/org/freedesktop/NetworkManager';
export const NM_SETTINGS_PATH = `${NM_PATH}/Settings`;

/**
 * NetworkManager's D-Bus interface by `busctl --json`, one short process a call: no D-Bus library, no text meant for
 * people. Nothing secret may be an argument here; every user of the board can read those.
 */
export interface NetworkManagerBus {
  /** Everything that NetworkManager shows: devices, access points, active connections, checkpoints. */
  objects(signal?: AbortSignal): Promise<BusObjects>;
  /** Calls a method; the answer is its results. @throws {NetworkManagerError} */
  call(
    path: string,
    interfaceName: string,
    method: string,
    args?: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly unknown[]>;
}

const CALL_TIMEOUT_MS = 30_000;

export function createNetworkManagerBus(run: RunProgram): NetworkManagerBus {
  const call: NetworkManagerBus['call'] = async (path, interfaceName, method, args = [], signal) => {
    const { code, stdout, stderr } = await run(
      'busctl',
      ['--system', '--json=short', 'call', '--', NM, path, interfaceName, method, ...args],
      { timeoutMs: CALL_TIMEOUT_MS, signal },
    );
    if (code !== 0) throw refusal(code, stderr);
    if (stdout.trim() === '') return [];
    const { data } = JSON.parse(stdout) as { data: unknown };
    return Array.isArray(data) ? data : [data];
  };
  return {
    call,
    async objects(signal) {
      const [objects] = await call(
        '/org/freedesktop',
        'org.freedesktop.DBus.ObjectManager',
        'GetManagedObjects',
        [],
        signal,
      );
      return plain(objects) as BusObjects;
    },
  };
}

function refusal(code: number, stderr: string): NetworkManagerError {
  const text =
    stderr
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^Call failed: /, '') ?? '';
  if (code === 127 || ABSENT.test(text)) {
    return new NetworkManagerError('ABSENT', text);
  }
  if (DENIED.test(text)) return new NetworkManagerError('DENIED', text);
  return new NetworkManagerError('FAILED', text === '' ? `busctl ended with ${code}` : text);
}

const ABSENT =
  /was not provided by any \.service files|Failed to connect to bus|could not activate remote peer|Unit .* not found|NameHasNoOwner|is masked|Failed to activate service/i;
const DENIED = /access denied|not authorized|insufficient privileges|authorization (?:request|check) failed/i;

/** Takes the types off that busctl writes beside each variant. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const keys = Object.keys(value);
  if (keys.length === 2 && 'type' in value && 'data' in value && typeof value.type === 'string') {
    return plain(value.data);
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
