import { isUuid } from './ids.ts';

/**
 * The MQTT topics of DESIGN §4. For each: `build` makes the topic, `parse` is its inverse and answers
 * `undefined` for any other topic, `filter` is the subscription that matches it. No other file holds a topic.
 *
 * A segment that carries foreign text (e-mail, component type, action) encodes, as upper-case %XX of its
 * UTF-8 bytes, exactly `% + # /`, control characters and non-ASCII characters.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** One topic level from any text. Inverse: {@link decodeSegment}. */
export function encodeSegment(text: string): string {
  let out = '';
  for (const byte of encoder.encode(text)) {
    const plain =
      byte > 0x1f && byte < 0x7f && byte !== 0x25 && byte !== 0x2b && byte !== 0x23 && byte !== 0x2f;
    out += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** The text of a level, or `undefined` where it is not exactly what {@link encodeSegment} makes. */
export function decodeSegment(segment: string): string | undefined {
  const bytes: number[] = [];
  for (let i = 0; i < segment.length; i++) {
    if (segment[i] !== '%') {
      bytes.push(segment.charCodeAt(i));
      continue;
    }
    const hex = segment.slice(i + 1, i + 3);
    if (!/^[0-9A-F]{2}$/.test(hex)) return undefined;
    bytes.push(Number.parseInt(hex, 16));
    i += 2;
  }
  if (bytes.some((byte) => byte > 0xff)) return undefined;
  try {
    const text = decoder.decode(Uint8Array.from(bytes));
    return encodeSegment(text) === segment ? text : undefined;
  } catch {
    return undefined;
  }
}

type Level = { readonly text: string } | { readonly name: string; readonly is: 'uuid' | 'text' };
type Values<T> = { readonly [K in keyof T]: string };

export interface Topic<P extends Record<string, string>> {
  /** With the names of its levels: `commands/{deviceUuid}/telemetry/ack`. */
  readonly address: string;
  build(values: Values<P>): string;
  parse(topic: string): P | undefined;
  filter(values?: Partial<Values<P>>): string;
}

function topic<P extends Record<string, string>>(pattern: string): Topic<P> {
  const levels: Level[] = pattern.split('/').map((part) => {
    const match = /^\{(\w+)(:uuid)?\}$/.exec(part);
    return match === null
      ? { text: part }
      : { name: match[1]!, is: match[2] === undefined ? 'text' : 'uuid' };
  });
  const levelOf = (level: { name: string; is: 'uuid' | 'text' }, values: Values<P>): string => {
    const value = values[level.name];
    if (value === undefined || value === '') throw new TypeError(`Topic ${pattern}: ${level.name} is empty.`);
    if (level.is === 'uuid' && !isUuid(value))
      throw new TypeError(`Topic ${pattern}: ${level.name} is no UUID.`);
    return encodeSegment(value);
  };
  return {
    address: pattern.replaceAll(':uuid}', '}'),
    build: (values) =>
      levels.map((level) => ('text' in level ? level.text : levelOf(level, values))).join('/'),
    parse: (text) => {
      const parts = text.split('/');
      if (parts.length !== levels.length) return undefined;
      const found: Record<string, string> = {};
      for (const [i, level] of levels.entries()) {
        const part = parts[i]!;
        if ('text' in level) {
          if (part !== level.text) return undefined;
          continue;
        }
        const value = decodeSegment(part);
        if (value === undefined || value === '' || (level.is === 'uuid' && !isUuid(value))) return undefined;
        found[level.name] = value;
      }
      return found as P;
    },
    filter: (values = {}) =>
      levels
        .map((level) => {
          if ('text' in level) return level.text;
          return values[level.name] === undefined ? '+' : levelOf(level, values as Values<P>);
        })
        .join('/'),
  };
}

type Device = { deviceUuid: string };
type UserDevice = { userEmail: string; deviceUuid: string };

export const topics = {
  /** device → cloud: signed readings of components of one type. */
  componentStatus: topic<{ userEmail: string; deviceUuid: string; componentType: string }>(
    'telemetry/{userEmail}/{deviceUuid:uuid}/{componentType}/status',
  ),
  /** device → cloud: signed update progress. */
  otaStatus: topic<Device>('telemetry/{deviceUuid:uuid}/ota/status'),
  /** device → cloud: signed command results. */
  commandsStatus: topic<Device>('telemetry/{deviceUuid:uuid}/commands/status'),
  /** device → cloud: signed birth, and the last will. */
  connectionStatus: topic<Device>('telemetry/{deviceUuid:uuid}/connection/status'),
  /** cloud → device: JWS `command+jwt`. */
  command: topic<{ deviceUuid: string; componentType: string; action: string }>(
    'commands/{deviceUuid:uuid}/{componentType}/{action}',
  ),
  /** cloud → device: JWS `ota+jwt`. */
  otaNotify: topic<Device>('commands/{deviceUuid:uuid}/ota/notify'),
  /** cloud → device: JWS `wifi-change+jwt`. */
  wifiChange: topic<Device>('commands/{deviceUuid:uuid}/wifi/change'),
  /** cloud → device: JWS `components+jwt`. */
  componentsChanged: topic<Device>('commands/{deviceUuid:uuid}/components/changed'),
  /** cloud → device: signed acknowledgement. */
  telemetryAck: topic<Device>('commands/{deviceUuid:uuid}/telemetry/ack'),
  /** cloud → device: JWS `reset+jwt`. */
  systemReset: topic<Device>('system/{deviceUuid:uuid}/reset'),
  /** app → cloud: ask for state. */
  requestState: topic<UserDevice>('client/request_state/{userEmail}/{deviceUuid:uuid}'),
  /** cloud → app: the whole state document. */
  clientState: topic<UserDevice>('client/state/{userEmail}/{deviceUuid:uuid}'),
  /** operator → operator: whether messages get through the broker; no device and no app hears it. */
  operatorTest: topic<Device>('operator/test/{deviceUuid:uuid}'),
} as const;

/** Component types that would collide with fixed topics of the `commands/` tree. */
export const reservedComponentTypes: readonly string[] = [
  'ota',
  'wifi',
  'components',
  'telemetry',
  'commands',
  'connection',
];

/** What a device may publish and receive; the broker's access rules are made from it. */
export function deviceRights(deviceUuid: string): {
  publish: readonly string[];
  subscribe: readonly string[];
} {
  const values = { deviceUuid };
  return {
    publish: [
      topics.componentStatus.filter(values),
      topics.otaStatus.build(values),
      topics.commandsStatus.build(values),
      topics.connectionStatus.build(values),
    ],
    subscribe: [`commands/${deviceUuid}/#`, topics.systemReset.build(values)],
  };
}

/** What an app may publish and receive: state of devices, asked for under the e-mail of its own user. */
export function appRights(userEmail: string): {
  publish: readonly string[];
  subscribe: readonly string[];
} {
  return {
    publish: [topics.requestState.filter({ userEmail })],
    subscribe: [topics.clientState.filter({ userEmail })],
  };
}

/** Whether an MQTT filter (3.1.1 §4.7, without `$share`) matches a topic name. */
export function filterMatches(filter: string, name: string): boolean {
  const wanted = filter.split('/');
  const parts = name.split('/');
  if (name.startsWith('$') && !filter.startsWith('$')) return false;
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return i === wanted.length - 1;
    if (i >= parts.length) return false;
    if (level !== '+' && level !== parts[i]) return false;
  }
  return wanted.length === parts.length;
}
