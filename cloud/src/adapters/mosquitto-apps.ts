import { appRights, isUuid } from '@ares/protocol';
import type { AppRights } from '../ports/device-broker.ts';
import type { ControlCommand, MosquittoControl } from './mosquitto-control.ts';

/** Rights of apps as clients and roles of the dynamic-security plugin: one role for each e-mail. */
export interface MosquittoApps {
  /** Makes the plugin's clients and roles these, by the fewest commands; a client that is taken away is cut off. */
  sync(apps: AppRights): Promise<void>;
  /** The broker may have others than it had. */
  forget(): void;
  /** Whether this is the name of an app that has rights, or is about to get or lose them. */
  has(name: string): boolean;
}

const ROLE = 'apps of ';
/** Bytes of commands that go together; the broker takes no packet of more than 67,584. */
const AT_ONCE_BYTES = 32_768;
/** What the way to the broker adds to each. */
const ADDED_BYTES = 64;

export function createMosquittoApps(control: MosquittoControl): MosquittoApps {
  /** Role of each client; absent when it is not known what the broker has. */
  let present: Map<string, string> | undefined;
  let roles = new Set<string>();
  /** Known also while it is not known what the broker has. */
  let names: ReadonlySet<string> = new Set();

  const load = async (): Promise<Map<string, string>> => {
    const [listedRoles, listedClients] = await control.run(
      { command: 'listRoles' },
      { command: 'listClients', verbose: true },
    );
    roles = new Set((listedRoles?.data?.['roles'] as string[] | undefined)?.filter(isOurs));
    const clients = (listedClients?.data?.['clients'] ?? []) as {
      username: string;
      roles?: { rolename: string }[];
    }[];
    return new Map(
      clients
        .filter(({ username }) => isUuid(username))
        .map(({ username, roles: given }) => [username, given?.[0]?.rolename ?? '']),
    );
  };

  return {
    async sync(apps) {
      names = new Set([...names, ...apps.keys()]);
      const clients = present ?? (await load());
      present = undefined;
      const wanted = new Map([...apps].map(([name, { userEmail }]) => [name, ROLE + userEmail]));
      const needed = new Map([...apps.values()].map(({ userEmail }) => [ROLE + userEmail, userEmail]));
      const gone = [...clients].filter(([name, role]) => wanted.get(name) !== role).map(([name]) => name);
      const commands: ControlCommand[] = [
        ...gone.map((username) => ({ command: 'deleteClient', username })),
        ...[...needed].filter(([role]) => !roles.has(role)).map(([role, email]) => createRole(role, email)),
        ...[...wanted]
          .filter(([name, role]) => clients.get(name) !== role)
          .map(([username, role]) => ({ command: 'createClient', username, roles: [{ rolename: role }] })),
        ...[...roles]
          .filter((role) => !needed.has(role))
          .map((rolename) => ({ command: 'deleteRole', rolename })),
      ];
      for (const together of inPackets(commands)) {
        const answers = await control.run(...together);
        const failed = answers.find(({ error }) => error !== undefined);
        // What is there is read anew the next time.
        if (failed !== undefined) throw new Error(`Mosquitto did not do ${failed.command}: ${failed.error}`);
      }
      roles = new Set(needed.keys());
      present = wanted;
      names = new Set(apps.keys());
    },
    forget() {
      present = undefined;
    },
    has: (name) => names.has(name),
  };
}

function createRole(rolename: string, userEmail: string): ControlCommand {
  const { publish, subscribe } = appRights(userEmail);
  const acl = (acltype: string, topic: string) => ({ acltype, topic, allow: true });
  return {
    command: 'createRole',
    rolename,
    acls: [
      ...publish.map((topic) => acl('publishClientSend', topic)),
      ...subscribe.map((topic) => acl('publishClientReceive', topic)),
    ],
  };
}

function* inPackets(commands: readonly ControlCommand[]): Generator<readonly ControlCommand[]> {
  let packet: ControlCommand[] = [];
  let bytes = 0;
  for (const command of commands) {
    const size = Buffer.byteLength(JSON.stringify(command)) + ADDED_BYTES;
    if (packet.length > 0 && bytes + size > AT_ONCE_BYTES) {
      yield packet;
      [packet, bytes] = [[], 0];
    }
    packet.push(command);
    bytes += size;
  }
  if (packet.length > 0) yield packet;
}

const isOurs = (role: string): boolean => role.startsWith(ROLE);
