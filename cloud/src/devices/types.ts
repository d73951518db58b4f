import type { LifeCycle } from '../database/schema.ts';

/** What a caller may do with a device. */
export interface DeviceAccess {
  readonly deviceId: number;
  readonly deviceUuid: string;
  /** The running assignment; `null` while nobody owns the device. */
  readonly assignmentId: number | null;
  readonly role: 'owner' | 'viewer' | 'admin';
}

/** What a caller may read of a device's past. */
export interface HistoryAccess {
  readonly deviceId: number;
  readonly deviceUuid: string;
  /** For administrators. Anybody else: of assignments that are or were his, as owner or viewer. */
  readonly everything: boolean;
}

/** A device as its reader sees it. */
export interface DeviceView {
  readonly deviceUuid: string;
  readonly nickname: string | null;
  readonly lifeCycle: LifeCycle;
  readonly presence: 'ONLINE' | 'OFFLINE' | 'TIMEOUT';
  readonly hardwareVersion: string;
  readonly hardwareVariant: string;
  readonly cpuSerial: string;
  readonly lastSeen: Date | null;
  readonly role: DeviceAccess['role'];
  /** Start of the running assignment. */
  readonly claimedAt: Date | null;
  /** Grows with each edit. */
  readonly version: number;
}

/** A page of devices that a caller may see. */
export interface DeviceQuery {
  readonly presence?: DeviceView['presence'] | undefined;
  readonly lifeCycle?: LifeCycle | undefined;
  readonly hardwareVersion?: string | undefined;
  readonly hardwareVariant?: string | undefined;
  /** Part of nickname, serial or UUID. */
  readonly text?: string | undefined;
  /** Normalised e-mail. */
  readonly owner?: string | undefined;
  readonly sort: 'registered' | 'nickname' | 'lastSeen';
  readonly order: 'asc' | 'desc';
  /** Sort key and `devices.id` of the last device of the page before. */
  readonly after?: readonly [string | number, number] | undefined;
  readonly limit: number;
}

/** What an administrator registers; the line of `factory-init` carries it. */
export interface NewDevice {
  readonly deviceUuid: string;
  readonly cpuSerial: string;
  /** Hex SHA-256 of the identity key's SPKI. */
  readonly identityKeyHash?: string | undefined;
  readonly hardwareVersion: string;
  readonly hardwareVariant: string;
  /** Without a key hash: take the key of the first claim within 24 hours. */
  readonly allowFirstUse: boolean;
}
