import type { BrokerKind } from '../../cloud/test/support/broker-world.ts';
import { hasMosquitto } from './mosquitto-server.ts';

/** Brokers of this machine, for `describe.each`: every test of MQTT runs on each. */
export const brokers: readonly BrokerKind[] = ['aedes', 'mosquitto'];

/** A named skip where Mosquitto is missing. */
export const isMissing = (kind: BrokerKind): boolean => kind === 'mosquitto' && !hasMosquitto();

/**
 * What the two brokers do differently, as tests show. Each row is named in the tests that show it, and printed in
 * `deploy/mosquitto/README.md`.
 */
export const brokerDifferences = {
  'refused certificate': {
    aedes: 'CONNACK 5, so that a device can tell it from a broken network',
    mosquitto: 'TLS alert, which names the reason',
  },
  'certificate that the tables refuse before a list does': {
    aedes: 'refused: the tables are asked at each connect',
    mosquitto: 'let in until the new list is in force, and ended then: at most 5 s',
  },
  'tables that cannot be asked': {
    aedes: 'CONNACK 3; sessions that live go on',
    mosquitto: 'devices come in by the latest list',
  },
  'foreign client id': {
    aedes: 'CONNACK 2 and a security event',
    mosquitto: 'replaced by the name in the certificate',
  },
  'foreign or retained will': {
    aedes: 'CONNACK 5',
    mosquitto: 'a foreign one is dropped when it is due, a retained one ends the connection attempt',
  },
  'refused message': {
    aedes: 'swallowed, counted as a security event; 50 within a minute end the connection',
    mosquitto: 'swallowed, the sender hears success (MQTT 3.1.1)',
  },
  'refused subscription': {
    aedes: 'SUBACK 128 and a security event',
    mosquitto: 'granted; nothing is delivered',
  },
  'retained message of a device': {
    aedes: 'swallowed',
    mosquitto: 'ends the connection',
  },
  'packet that is too large': {
    aedes: 'ends the connection at its header, security event',
    mosquitto: 'ends the connection at its header',
  },
  'flood of one device': {
    aedes: 'slowed down to its rate by not being read, security event',
    mosquitto: 'passed on; the ingest has bounds for each device',
  },
  'will of a session that the cloud ends': {
    aedes: 'sent',
    mosquitto: 'not sent: the cloud writes OFFLINE with the revocation, or TIMEOUT a minute later',
  },
  'who is connected': {
    aedes: 'known at once, with the certificate',
    mosquitto: "by the broker's log and by the birth, which names the certificate",
  },
  'shared subscriptions': {
    aedes: 'none: every ingest gets every message',
    mosquitto: '`$share` with a secret group: every message goes to one ingest',
  },
  'names of apps': {
    aedes: "rights of the app's user only",
    mosquitto:
      'the patterns for devices fit their names too: they may speak for a device that does not exist',
  },
} as const satisfies Record<string, Record<BrokerKind, string>>;

export type BrokerDifference = keyof typeof brokerDifferences;

/** The table for the README. */
export function differencesTable(): string {
  const rows = Object.entries(brokerDifferences).map(
    ([what, { aedes, mosquitto }]) => `| ${what} | ${aedes} | ${mosquitto} |`,
  );
  return ['| | in the cloud (aedes) | Mosquitto 2.0.11 |', '|---|---|---|', ...rows].join('\n');
}
