import { type NetworkManagerBus, NM, NM_SETTINGS_PATH, plain } from './bus.ts';
import type { AccessPoint } from './networks.ts';

/** Kept in the profile itself, so that a board that lost its state still knows which are ours to forget. */
const OWNER_KEY = 'ares.managed';
/**
 * NM_SETTINGS_ADD_CONNECTION2_FLAG_IN_MEMORY, as a trial leaves nothing on the disk, and _BLOCK_AUTOCONNECT: it is
 * joined when it is told to be.
 */
const ADD_FLAGS = '34';
/** NM_SETTINGS_UPDATE2_FLAG_TO_DISK. */
const TO_DISK = '1';
/** Above the profiles of the administrator, whose default is 0. */
const PRIORITY = '10';

/** A profile for a network on trial: in memory only, without its passphrase. */
export interface TrialProfile {
  readonly uuid: string;
  readonly interfaceName: string;
  readonly ssid: string;
  readonly keyManagement: AccessPoint['keyManagement'];
  /** The network was not heard: ask for it by name. */
  readonly hidden: boolean;
}

/** The call that adds the profile. The name goes as bytes: nothing in it has a meaning for anybody. */
export function addConnectionArguments(profile: TrialProfile): readonly string[] {
  const { uuid, interfaceName, ssid, keyManagement, hidden } = profile;
  const bytes = [...Buffer.from(ssid, 'utf8')].map(String);
  const sections: (readonly string[])[] = [
    [
      'connection',
      ...['6', 'id', 's', `ares-${uuid.slice(0, 8)}`, 'uuid', 's', uuid, 'type', 's', '802-11-wireless'],
      ...['autoconnect', 'b', 'true', 'autoconnect-priority', 'i', PRIORITY],
      ...['interface-name', 's', interfaceName],
    ],
    ['802-11-wireless', '2', 'ssid', 'ay', String(bytes.length), ...bytes, 'hidden', 'b', String(hidden)],
    ['user', '1', 'data', 'a{ss}', '1', OWNER_KEY, 'yes'],
  ];
  if (keyManagement !== undefined)
    sections.push(['802-11-wireless-security', '1', 'key-mgmt', 's', keyManagement]);
  return ['a{sa{sv}}ua{sv}', String(sections.length), ...sections.flat(), ADD_FLAGS, '0'];
}

/**
 * A line of nmcli's `passwd-file` that means exactly this passphrase: nmcli strips spaces and reads backslashes, so
 * whatever is not a plain letter or digit goes as an octal escape.
 */
export function passwordFile(passphrase: string): string {
  const escaped = [...Buffer.from(passphrase, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /^[A-Za-z0-9]$/.test(character) ? character : `\\${byte.toString(8).padStart(3, '0')}`;
    })
    .join('');
  return `802-11-wireless-security.psk:${escaped}\n`;
}

/** Paths of the profiles that Ares made, by UUID. */
export async function ownProfiles(bus: NetworkManagerBus): Promise<ReadonlyMap<string, string>> {
  const [paths] = await bus.call(NM_SETTINGS_PATH, `${NM}.Settings`, 'ListConnections');
  const own = new Map<string, string>();
  for (const path of paths as readonly string[]) {
    const uuid = await ownUuidOf(bus, path);
    if (uuid !== undefined) own.set(uuid, path);
  }
  return own;
}

async function ownUuidOf(bus: NetworkManagerBus, path: string): Promise<string | undefined> {
  // A profile that is deleted meanwhile is nobody's any more.
  const answer = await bus.call(path, `${NM}.Settings.Connection`, 'GetSettings').catch(() => undefined);
  if (answer === undefined) return undefined;
  const settings = plain(answer[0]) as Record<string, Record<string, unknown> | undefined>;
  const data = settings.user?.data as Record<string, unknown> | undefined;
  return data?.[OWNER_KEY] === 'yes' ? String(settings.connection?.uuid) : undefined;
}

/**
 * Writes a profile to the disk as it is, its passphrase too. Nothing in it may change: NetworkManager does not return
 * to a profile that was changed after it was joined (1.42: "The connection was modified since activation").
 */
export async function keepProfile(bus: NetworkManagerBus, path: string): Promise<void> {
  await bus.call(path, `${NM}.Settings.Connection`, 'Update2', ['a{sa{sv}}ua{sv}', '0', TO_DISK, '0']);
}

export async function deleteProfile(bus: NetworkManagerBus, path: string): Promise<void> {
  await bus.call(path, `${NM}.Settings.Connection`, 'Delete');
}
