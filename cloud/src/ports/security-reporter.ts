/** What the cloud writes down as a sign of attack or of a device gone wrong. */
export type SecurityEventCode =
  | 'BIRTH_CERTIFICATE_MISMATCH'
  | 'BOOT_COUNT_REPEATED'
  | 'BROKER_SUSPECTED'
  | 'CERTIFICATE_REFUSED'
  | 'CLIENT_ID_MISMATCH'
  | 'CLONE_SUSPECTED'
  | 'COMPROMISE_SUSPECTED'
  | 'HARDWARE_MISMATCH'
  | 'KEY_UNKNOWN'
  | 'MAC_MISMATCH'
  | 'NOT_SIGNED'
  | 'PACKET_TOO_LARGE'
  | 'PAIR_MISMATCH'
  | 'PUBLISH_DENIED'
  | 'PUBLISH_RATE'
  | 'SUBSCRIBE_DENIED'
  | 'TOPIC_OWNER_MISMATCH'
  | 'UNKNOWN_DEVICE'
  | 'WILL_REFUSED';

export interface SecurityEvent {
  readonly code: SecurityEventCode;
  /** The device under whose name it happened; it may be the victim. */
  readonly deviceUuid?: string;
  /** Facts for an administrator; never a secret, at most 2 KiB as JSON. */
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}

export interface SecurityReporter {
  /** Counts the event; equal ones are written as one row. Never throws and never waits. */
  report(event: SecurityEvent): void;
}
