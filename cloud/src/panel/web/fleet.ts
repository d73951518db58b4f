import type { Link } from './live-stream.ts';
import type { Device, Presence, StateDocument } from './types.ts';

/** Everything that the panel knows of the devices, whoever told it. */
export interface Fleet {
  /** `undefined` until the list has arrived once. */
  readonly devices: ReadonlyMap<string, Device> | undefined;
  /** Why the list could not be had, in one sentence. */
  readonly listProblem: string | undefined;
  readonly states: ReadonlyMap<string, StateDocument>;
  readonly link: Link;
  /** Epoch ms until which live values are known to be live; `undefined` before the first connection. */
  readonly liveUntil: number | undefined;
}

export type FleetAction =
  | { readonly kind: 'listed'; readonly devices: readonly Device[] }
  | { readonly kind: 'list-failed'; readonly why: string }
  | { readonly kind: 'state'; readonly state: StateDocument }
  | { readonly kind: 'device'; readonly device: Device }
  | { readonly kind: 'gone'; readonly deviceUuid: string }
  /** Signed out: nothing of one account may show in the next. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'link'; readonly link: Link; readonly at: number };

export const emptyFleet: Fleet = {
  devices: undefined,
  listProblem: undefined,
  states: new Map(),
  link: { phase: 'connecting' },
  liveUntil: undefined,
};

/** The next state of the fleet; the given one is never changed. */
export function reduceFleet(fleet: Fleet, action: FleetAction): Fleet {
  switch (action.kind) {
    case 'listed': {
      const devices = new Map(action.devices.map((device) => [device.deviceUuid, device]));
      // A device that was given away shows nothing of its former owner.
      const states = new Map([...fleet.states].filter(([uuid]) => devices.get(uuid)?.claimedAt != null));
      return { ...fleet, devices, states, listProblem: undefined };
    }
    case 'list-failed':
      return { ...fleet, listProblem: action.why };
    case 'state': {
      const held = fleet.states.get(action.state.deviceUuid);
      // An answer to a request may be overtaken by the stream.
      if (held?.lastSeen != null && Date.parse(held.lastSeen) > Date.parse(action.state.lastSeen ?? '')) {
        return fleet;
      }
      return { ...fleet, states: new Map(fleet.states).set(action.state.deviceUuid, action.state) };
    }
    case 'device': {
      const devices = new Map(fleet.devices).set(action.device.deviceUuid, action.device);
      const state = fleet.states.get(action.device.deviceUuid);
      if (state === undefined) return { ...fleet, devices };
      const renamed = { ...state, nickname: action.device.nickname };
      return { ...fleet, devices, states: new Map(fleet.states).set(state.deviceUuid, renamed) };
    }
    case 'gone': {
      const devices = new Map(fleet.devices);
      const states = new Map(fleet.states);
      devices.delete(action.deviceUuid);
      states.delete(action.deviceUuid);
      return { ...fleet, devices, states };
    }
    case 'reset':
      return emptyFleet;
    case 'link': {
      const wasLive = fleet.link.phase === 'live' && action.link.phase !== 'live';
      return { ...fleet, link: action.link, liveUntil: wasLive ? action.at : fleet.liveUntil };
    }
  }
}

/** Presence as the newest source tells it: the live state, else the list. */
export function presenceOf(device: Device, state: StateDocument | undefined): Presence {
  if (state === undefined) return device.presence;
  return state.device_status === 'Timeout' ? 'TIMEOUT' : state.device_status;
}

/** Newest of the two times at which the device was seen, ISO 8601; `null` if never. */
export function lastSeenOf(device: Device, state: StateDocument | undefined): string | null {
  return state?.lastSeen ?? device.lastSeen;
}

/** What people call the device: its nickname, else the first eight characters of its UUID. */
export function nameOf(device: Pick<Device, 'deviceUuid' | 'nickname'>): string {
  return device.nickname ?? device.deviceUuid.slice(0, 8);
}

/** Whether the typed text confirms that exactly this device is to be given away. */
export function confirmsUnlink(typed: string, device: Pick<Device, 'deviceUuid' | 'nickname'>): boolean {
  const text = typed.trim();
  return (
    text !== '' && (text === device.nickname?.trim() || text.toLowerCase() === device.deviceUuid.slice(0, 8))
  );
}

/** Devices that contain the text in name, UUID or serial; those that need a look first, then by name. */
export function selectDevices(fleet: Fleet, text: string): Device[] {
  const wanted = text.trim().toLowerCase();
  const rank: Record<Presence, number> = { TIMEOUT: 0, OFFLINE: 1, ONLINE: 2 };
  const order = (device: Device) =>
    device.lifeCycle === 'ACTIVE' ? rank[presenceOf(device, fleet.states.get(device.deviceUuid))] : 3;
  return [...(fleet.devices?.values() ?? [])]
    .filter(({ nickname, deviceUuid, cpuSerial }) =>
      [nickname ?? '', deviceUuid, cpuSerial].some((field) => field.toLowerCase().includes(wanted)),
    )
    .sort((a, b) => order(a) - order(b) || nameOf(a).localeCompare(nameOf(b)));
}
