import type { VisibleNetwork } from '../../ports/wifi.ts';
import { type BusObjects, NM } from './bus.ts';

const DEVICE = `${NM}.Device`;
const WIRELESS = `${NM}.Device.Wireless`;
const ACCESS_POINT = `${NM}.AccessPoint`;
const ACTIVE = `${NM}.Connection.Active`;
const CHECKPOINT = `${NM}.Checkpoint`;
/** NMDeviceType. */
const TYPE_WIFI = 2;
/** NMDeviceState: below it NetworkManager leaves the device alone or cannot use it. */
const STATE_DISCONNECTED = 30;
const STATE_UNMANAGED = 10;
/** NMDeviceState: the access point has let the device in; now it asks for an address. */
export const STATE_IP_CONFIG = 70;
/** NMDeviceState: connected. Above it are the states of leaving and failing. */
export const STATE_ACTIVATED = 100;
/** NMActiveConnectionState. */
export const ACTIVE_ACTIVATED = 2;
export const ACTIVE_ACTIVATING = 1;

const AP_PRIVACY = 0x1;
const KEY_PSK = 0x100;
const KEY_ENTERPRISE = 0x200;
const KEY_SAE = 0x400;
const KEY_OWE = 0x800;

/** The Wi-Fi device as NetworkManager shows it at one moment. */
export interface WifiDevice {
  readonly path: string;
  readonly interfaceName: string;
  readonly managed: boolean;
  readonly usable: boolean;
  /** Neither connected nor about to be. */
  readonly idle: boolean;
  readonly state: number;
  /** ms of the clock that runs since boot; -1 before the first scan. */
  readonly lastScan: number;
  readonly accessPoints: readonly AccessPoint[];
  /** What it is connected to or connecting to. */
  readonly active: { readonly uuid: string; readonly state: number } | undefined;
}

export interface AccessPoint {
  /** `undefined`: hidden, or a name that no request can carry. */
  readonly ssid: string | undefined;
  readonly signalDbm: number;
  readonly security: VisibleNetwork['security'];
  /** How to prove that the passphrase is known; `sae` where the older way is refused. */
  readonly keyManagement: 'wpa-psk' | 'sae' | 'owe' | undefined;
}

/** Every Wi-Fi device, those that NetworkManager manages first, by path. */
export function wifiDevices(objects: BusObjects): readonly WifiDevice[] {
  return Object.entries(objects)
    .filter(([, object]) => object[DEVICE]?.DeviceType === TYPE_WIFI)
    .map(([path, object]): WifiDevice => {
      const device = object[DEVICE] ?? {};
      const wireless = object[WIRELESS] ?? {};
      const state = number(device.State) ?? 0;
      const active = objects[String(device.ActiveConnection)]?.[ACTIVE];
      return {
        path,
        interfaceName: String(device.Interface),
        managed: state > STATE_UNMANAGED,
        usable: state >= STATE_DISCONNECTED,
        idle: state === STATE_DISCONNECTED,
        state,
        lastScan: number(wireless.LastScan) ?? -1,
        accessPoints: list(wireless.AccessPoints).flatMap((at) => {
          const point = objects[String(at)]?.[ACCESS_POINT];
          return point === undefined ? [] : [accessPoint(point)];
        }),
        active:
          active === undefined ? undefined : { uuid: String(active.Uuid), state: number(active.State) ?? 0 },
      };
    })
    .sort((a, b) => Number(b.managed) - Number(a.managed) || a.path.localeCompare(b.path));
}

/** Checkpoints that hold a device, by path, with the moment of their making (ms since boot). */
export function checkpointsOf(objects: BusObjects, devicePath: string): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(objects).flatMap(([path, object]) => {
      const checkpoint = object[CHECKPOINT];
      if (checkpoint === undefined || !list(checkpoint.Devices).includes(devicePath)) return [];
      return [[path, number(checkpoint.Created) ?? 0] as const];
    }),
  );
}

/** One entry a name, the strongest; what nobody could ask for is left out. */
export function visibleNetworks(accessPoints: readonly AccessPoint[]): readonly VisibleNetwork[] {
  const networks = new Map<string, VisibleNetwork>();
  for (const { ssid, signalDbm, security } of accessPoints) {
    if (ssid === undefined) continue;
    const known = networks.get(ssid);
    if (known === undefined || known.signalDbm < signalDbm) networks.set(ssid, { ssid, signalDbm, security });
  }
  return [...networks.values()].sort((a, b) => b.signalDbm - a.signalDbm);
}

function accessPoint(point: Readonly<Record<string, unknown>>): AccessPoint {
  const flags = (number(point.WpaFlags) ?? 0) | (number(point.RsnFlags) ?? 0);
  const wpa = (flags & (KEY_PSK | KEY_SAE)) !== 0;
  const closed = !wpa && ((flags & KEY_ENTERPRISE) !== 0 || isWep(point, flags));
  return {
    ssid: nameOf(list(point.Ssid)),
    // NetworkManager makes its percentage of dBm in this way, and so loses what is beyond -50 and -100.
    signalDbm: Math.round((number(point.Strength) ?? 0) / 2) - 100,
    security: wpa ? 'wpa' : closed ? 'other' : 'open',
    keyManagement: keyManagementOf(flags),
  };
}

function isWep(point: Readonly<Record<string, unknown>>, flags: number): boolean {
  return flags === 0 && ((number(point.Flags) ?? 0) & AP_PRIVACY) !== 0;
}

function keyManagementOf(flags: number): AccessPoint['keyManagement'] {
  if ((flags & KEY_PSK) !== 0) return 'wpa-psk';
  if ((flags & KEY_SAE) !== 0) return 'sae';
  return (flags & KEY_OWE) !== 0 ? 'owe' : undefined;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function nameOf(bytes: readonly unknown[]): string | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  try {
    return decoder.decode(Uint8Array.from(bytes as number[]));
  } catch {
    return undefined;
  }
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
