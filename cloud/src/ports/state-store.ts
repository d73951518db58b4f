import type { ComponentHealth } from '@ares/protocol';

/**
 * The live state of devices: a cache that many processes may share and that can be lost at any time, since
 * PostgreSQL refills it. One entry per device; every write is one atomic step on that entry, so each operation
 * can be one script on one key of Redis.
 */

export type Presence = 'ONLINE' | 'OFFLINE' | 'TIMEOUT';

/** Orders the values of a component: a later boot wins, within a boot a later reading. */
export interface Order {
  readonly bootCount: number;
  readonly seq: number;
}

/** Newest value of one metric of one component. `measuredAt` in epoch ms. */
export interface MetricValue extends Order {
  readonly componentId: number;
  readonly metric: string;
  readonly value: number;
  readonly measuredAt: number;
}

/** Health of a component, ordered by the boot and the time at which the device said it. */
export interface HealthValue extends ComponentHealth {
  readonly bootCount: number;
  /** `uptimeMs` of the message: later in a boot wins. */
  readonly uptimeMs: number;
}

export interface DeviceState {
  readonly presence: Presence;
  /** The connection of the latest birth; a will of any other does not count. */
  readonly connectionId: string | undefined;
  /** Epoch ms of the last authentic message. */
  readonly lastSeen: number | undefined;
  readonly values: readonly MetricValue[];
  readonly health: readonly HealthValue[];
}

/** The store does not answer. What it would have said is in the database; what it missed must be refilled. */
export class StateStoreError extends Error {
  override readonly name = 'StateStoreError';
  readonly code = 'STATE_STORE_AWAY';
}

/** Every operation may throw {@link StateStoreError}, except those that say otherwise. */
export interface StateStore {
  /** Whether all processes of the cloud see the same entries; otherwise each must be told what others changed. */
  readonly shared: boolean;

  /** The entry, or `undefined` when it is missing or marked dirty: then refill it. */
  get(deviceUuid: string): Promise<DeviceState | undefined>;

  /**
   * Takes each value whose order is higher than the stored one, and moves last-seen forward. Answers whether
   * anything that a person sees changed; `revived` when a device that was TIMEOUT is ONLINE again. On a missing entry
   * it does nothing and answers `missing`.
   */
  apply(deviceUuid: string, update: StateUpdate): Promise<'changed' | 'revived' | 'same' | 'missing'>;

  /** The device named a new connection: ONLINE. */
  birth(deviceUuid: string, connectionId: string, at: number): Promise<'done' | 'missing'>;

  /** OFFLINE, if `connectionId` is that of the latest birth. Answers whether it counted. */
  will(deviceUuid: string, connectionId: string, at: number): Promise<boolean>;

  /** TIMEOUT, if the device is ONLINE and was not seen since `seenBefore`. Answers whether it counted. */
  timeOut(deviceUuid: string, seenBefore: number): Promise<boolean>;

  /**
   * ONLINE devices last seen before the time, oldest first: from an index, never by a scan. Among them devices whose
   * entry is missing: refill them, then ask again by `timeOut`.
   */
  overdue(seenBefore: number, limit: number): Promise<readonly string[]>;

  /** Puts devices into the index of `overdue` that the database knows as ONLINE, with their last-seen. */
  expect(online: ReadonlyMap<string, number>): Promise<void>;

  /** Whether this process is the one that looks for silent devices; it stays so for `holdMs` after it asked. */
  leadsSweep(holdMs: number): Promise<boolean>;

  /** Another one whenever everything was marked dirty or lost. */
  epoch(): Promise<string>;

  /** Names the present of a device. Asked for before the tables are read, for `refill`. */
  stamp(deviceUuid: string): Promise<string>;

  /**
   * Makes the entry from what the database held under `stamp`. Does nothing when the device was marked dirty or
   * forgotten since: then look again. Values that arrived in between and are newer stay; presence is taken from
   * `state` when the entry was missing or dirty.
   */
  refill(deviceUuid: string, state: DeviceState, stamp: string): Promise<void>;

  /**
   * Another process changed these devices, or nobody knows: `get` answers `undefined` until the refill. `all` costs
   * no more than one device.
   */
  markDirty(deviceUuids: readonly string[] | 'all'): Promise<void>;

  /** Forgets the device. */
  drop(deviceUuid: string): Promise<void>;

  /** Whether the store answers; never throws. */
  healthy(): Promise<boolean>;
}

export interface StateUpdate {
  readonly values: readonly MetricValue[];
  readonly health: readonly HealthValue[];
  /** Epoch ms of cloud time at arrival. */
  readonly seenAt: number;
}
