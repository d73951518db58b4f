import type { ComponentTypeDefinition } from '@ares/protocol';
import type { CommandStatus } from '../database/schema.ts';

/** What a person asks for; the contract has parsed it, the policy has allowed it. */
export interface CommandRequest {
  readonly componentId?: number | undefined;
  readonly componentType?: string | undefined;
  readonly action: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** How long it may still begin, in seconds. */
  readonly ttlSeconds: number;
}

/** A component that can be told something. */
export interface CommandTarget {
  readonly componentId: number;
  readonly componentType: string;
  readonly definition: ComponentTypeDefinition;
}

export interface CommandRow {
  readonly id: string;
  /** 0, of type `wifi`: the device itself. */
  readonly componentId: number;
  readonly componentType: string;
  readonly action: string;
  readonly args: Record<string, unknown>;
  readonly status: CommandStatus;
  readonly code: string | null;
  readonly detail: string | null;
  readonly verified: boolean | null;
  readonly leaseEndsAt: Date | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly finishedAt: Date | null;
}

/** Creation (epoch ms), number and id of the last command of a page. */
export type CommandPosition = readonly [number, number, string];

export interface CommandQuery {
  readonly status?: CommandStatus | undefined;
  readonly after?: CommandPosition | undefined;
  readonly limit: number;
}

/** An order that waits for its device. */
export interface UnsentCommand {
  readonly id: string;
  readonly topic: string;
  readonly jws: string;
}

/**
 * `code` of a command that the sweep gave up: no answer came. It alone may still be corrected, by the authentic
 * report of a device that ran it and could not say so in time.
 */
export const NO_ANSWER = 'NO_ANSWER';
