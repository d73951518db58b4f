import type { CommandResult, Reading, ReadingProblem } from '@ares/protocol';

/** Counters that survive a reset. */
export interface Counters {
  /** Raises the boot counter, at least above `floor`, durably. The answer is the count of this boot. */
  startBoot(options: { readonly floor: number }): number;
  /** The counter is at least this from now on: each credentials answer gives one. */
  raiseFloor(floor: number): void;
  readonly bootCount: number;
}

export interface NewReading {
  readonly componentId: number;
  readonly componentType: string;
  readonly metric: string;
  readonly value: number;
  readonly quality: 'good' | 'suspect';
}

/** When a reading was measured: by a trusted clock, or only counted from the start of the boot. */
export type MeasuredTime = { readonly measuredAt: number } | { readonly uptimeMs: number };

export interface TickTime {
  readonly time: MeasuredTime;
  readonly uptimeMs: number;
}

/** What was measured at one time. */
export interface Tick {
  readonly readings: readonly NewReading[];
  readonly at: TickTime;
}

export interface StoredReading {
  readonly boot: BootRow;
  readonly componentType: string;
  readonly reading: Reading;
}

export interface BootRow {
  /** Order of the boots within the outbox. */
  readonly order: number;
  readonly bootId: string;
  readonly bootCount: number;
  /** Highest uptime that was stored for it, ms. */
  readonly lastUptimeMs: number;
}

/** The durable queue of readings. Everything of one call is one transaction: all or nothing. */
export interface Outbox {
  beginBoot(boot: { readonly bootId: string; readonly bootCount: number }): void;
  /** Readings of one tick. Their `seq` are given here, from 1 in each boot, never twice. */
  insert(readings: readonly NewReading[], at: TickTime): StoredReading[];
  /** The same for several ticks, in their order: one commit costs a card as much as many readings. */
  insertTicks(ticks: readonly Tick[]): StoredReading[];
  /** Oldest first, from after the place; at most `limit`. `componentType` and `boot` narrow it. */
  read(from: {
    readonly after: { readonly order: number; readonly seq: number };
    readonly limit: number;
    readonly boot?: number;
    readonly componentType?: string;
  }): StoredReading[];
  /**
   * Deletes exactly these; the answer is how many were there. Durable with the next insert: after a power cut before
   * it they are sent again, and the cloud knows them.
   */
  deleteStored(bootId: string, ranges: readonly (readonly [number, number])[]): number;
  /** Moves finally refused readings to the dead letters. */
  bury(
    bootId: string,
    refused: readonly { readonly seq: number; readonly code: ReadingProblem }[],
    at: number,
  ): number;
  /** Readings that wait, without asking the database. */
  readonly rows: number;
  /** Readings lost to the quota or to the disk since the assignment began. */
  readonly dropped: number;
  stats(): OutboxStats;
  /** A small durable document of the assignment, e.g. the last list of components. */
  loadDocument(name: string): unknown;
  saveDocument(name: string, value: unknown): void;
}

export interface OutboxStats {
  readonly rows: number;
  readonly bytes: number;
  /** Readings lost because the quota was reached or the disk was full or could not be written, since the assignment began. */
  readonly dropped: number;
  readonly deadLetters: number;
  /** Little is left of the disk: new readings take the place of the oldest ones. */
  readonly diskLow: boolean;
}

export type CommandState = 'received' | 'acting' | 'done';

interface ReceivedCommand {
  readonly commandId: string;
  readonly assignment: number;
  readonly componentId: number;
  readonly seq: number;
  readonly refused?: CommandResult;
}

/** The record that keeps a command from running twice. */
export interface CommandJournal {
  /** Why commands other than safe ones must be refused: the record of what ran before is lost. */
  readonly damaged: string | undefined;
  find(
    commandId: string,
  ): { readonly state: CommandState; readonly result: CommandResult | undefined } | undefined;
  /**
   * Commits the id and the highest `seq` before anything happens, with the result when it is refused.
   * `false`: the id is there already.
   */
  receive(command: ReceivedCommand): boolean;
  acting(commandId: string): void;
  finish(result: CommandResult): void;
  /** Results that the cloud has not acknowledged, oldest first. */
  unacknowledged(assignment: number, limit: number): CommandResult[];
  acknowledge(commandIds: readonly string[]): number;
  /** Gives every row without a result this one; at start, nothing of it runs again. */
  closeUnfinished(make: (commandId: string) => CommandResult): number;
  /** Highest verified `seq` of a component; 0 when none was seen. */
  highestSeq(assignment: number, componentId: number): number;
}

/** `device.db` (counters, journal: survive a reset) and `outbox.db` (one assignment). */
export interface DeviceStore {
  readonly counters: Counters;
  readonly journal: CommandJournal;
  /** The outbox of this assignment; that of any other is deleted first. The same one when called again. */
  openOutbox(assignment: number): Outbox;
  /** Deletes the outbox with its -wal and -shm; part of a reset. Counters and journal stay. */
  deleteOutbox(): void;
  /** Makes the reserve of the disk again where it was used and there is room; whether it is there now. */
  keepReserve(): boolean;
  close(): void;
}
