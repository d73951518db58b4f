import { type ProblemCode, ProblemError } from '@ares/protocol';
import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Challenges } from './challenges.ts';
import type { CheckedRequest, DeviceRow, Finding } from './types.ts';

/** One request within its transaction, the device locked. */
export interface Begin {
  readonly trx: Transaction<Schema>;
  readonly database: CloudDatabase;
  readonly challenges: Challenges;
  readonly checked: CheckedRequest;
  readonly device: DeviceRow;
  readonly nowMs: number;
  /** Kept even though the transaction is rolled back. */
  readonly find: (finding: Finding) => void;
}

/** A UUID on another board is a copied card or a swapped board; neither changes what is registered. */
export function assertBoard({ device, checked, find }: Begin): void {
  const { cpuSerial } = checked.request;
  if (device.cpu_serial === cpuSerial) return;
  const clone = device.identity_key_hash === checked.identityKey.hash;
  find({
    event: {
      deviceId: device.id,
      code: clone ? 'CLONE_SUSPECTED' : 'IDENTITY_MISMATCH',
      detail: { cpuSerial, identityKeyHash: checked.identityKey.hash },
    },
    alert: clone,
    clone,
  });
  throw refuse('IDENTITY_MISMATCH', 'This UUID is registered for another board.');
}

/** @throws {ProblemError} IDENTITY_UNKNOWN, IDENTITY_MISMATCH */
export function assertPinned({ device, checked, find }: Begin): void {
  if (device.identity_key_hash === checked.identityKey.hash) return;
  if (device.identity_key_hash === null) {
    throw refuse('IDENTITY_UNKNOWN', 'The identity key of this device is not registered yet.');
  }
  find({
    event: {
      deviceId: device.id,
      code: 'IDENTITY_MISMATCH',
      detail: { identityKeyHash: checked.identityKey.hash, grant: checked.request.grant },
    },
  });
  throw refuse('IDENTITY_MISMATCH', 'This is not the identity key that is pinned for the device.');
}

export function assertNotInRecovery(device: DeviceRow): void {
  if (device.life_cycle === 'RECOVERY_NEEDED') throw recoveryNeeded();
}

export const refuse = (code: ProblemCode, detail: string) => new ProblemError(code, detail);
export const keyInUse = () =>
  refuse('KEY_IN_USE', 'This key is known already, for another purpose or device: make a new one.');
export const assignmentEnded = () =>
  refuse('ASSIGNMENT_ENDED', 'The assignment that this device knows has ended: ask for its standing.');
export const recoveryNeeded = () =>
  refuse('RECOVERY_NEEDED', 'The owner must recover this device with a recovery token.');
