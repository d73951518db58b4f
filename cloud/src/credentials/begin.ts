import { ProblemError } from '@ares/protocol';
import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { revokeCertificates } from '../pki/certificate-repository.ts';
import { endSession } from '../pki/end-session.ts';
import type { RandomBytes } from '../ports/random.ts';
import {
  assertBoard,
  assertNotInRecovery,
  assertPinned,
  assignmentEnded,
  type Begin,
  keyInUse,
  recoveryNeeded,
  refuse,
} from './begin-context.ts';
import { claimGrant } from './grant-claim.ts';
import { recoveryGrant } from './grant-recovery.ts';
import * as repository from './repository.ts';
import type {
  AssignmentRow,
  CertificateRow,
  CheckedRequest,
  CredentialsConfig,
  CredentialsPorts,
  Finding,
} from './types.ts';

const HOUR_MS = 3_600_000;

/** The row that the certificate belongs to, or a refusal that changed something and is committed. */
export type Begun = { readonly certificateId: number } | { readonly refused: ProblemError };

/**
 * First of the three steps: decides, uses the nonce, moves ownership, and keeps the place of the certificate by
 * the key of its CSR. Does nothing new for a request that was granted before.
 * @throws {ProblemError} the transaction is to be rolled back
 */
export async function begin(
  trx: Transaction<Schema>,
  checked: CheckedRequest,
  options: {
    readonly ports: Pick<CredentialsPorts, 'database' | 'challenges' | 'random'>;
    readonly config: CredentialsConfig;
    readonly nowMs: number;
    readonly find: (finding: Finding) => void;
  },
): Promise<Begun> {
  const { ports, config, nowMs, find } = options;
  const { request } = checked;
  const device = await repository.lockDevice(trx, request.deviceUuid);
  if (device === undefined) throw refuse('NOT_FOUND', 'This device is not registered.');
  const { database, challenges } = ports;
  const context: Begin = { trx, database, challenges, checked, device, nowMs, find };
  if (device.life_cycle === 'BLOCKED') {
    throw refuse('DEVICE_BLOCKED', 'An administrator blocked this device.');
  }
  assertBoard(context);

  const known = await repository.certificateOfKey(trx, checked.csrKeyHash);
  if (known !== undefined && known.device_id !== device.id) throw keyInUse();
  if (known === undefined && (await repository.isIdentityKey(trx, checked.csrKeyHash))) throw keyInUse();
  if (known !== undefined && request.grant !== 'claim') return repeat(context, known);
  if (known !== undefined && known.claim_id === request.claimId) return repeat(context, known);
  if (known !== undefined) throw keyInUse();

  const made = await repository.countCertificates(trx, device.id, new Date(nowMs - HOUR_MS));
  if (made >= config.certificatesPerHour) {
    throw new ProblemError('TOO_MANY_REQUESTS', 'This device asked for too many certificates this hour.', {
      retryAfterSeconds: 600,
    });
  }
  const granted = await grant(context);
  if ('refused' in granted) return granted;
  await repository.keepIdentityKey(trx, device.id, checked.identityKey.spki);
  const certificateId = await repository.insertPending(trx, {
    deviceId: device.id,
    assignmentId: granted.id,
    serial: drawSerial(ports.random),
    spkiHash: checked.csrKeyHash,
    requestHash: checked.requestHash,
    claimId: request.claimId ?? null,
    at: new Date(nowMs),
  });
  await database.notify(trx, 'device', { deviceUuid: device.device_uuid });
  return { certificateId };
}

type Granted = AssignmentRow | { readonly refused: ProblemError };

async function grant(context: Begin): Promise<Granted> {
  switch (context.checked.request.grant) {
    case 'claim':
      return claimGrant(context);
    case 'recovery':
      return recoveryGrant(context);
    case 'renew':
      assertPinned(context);
      assertNotInRecovery(context.device);
      assertPeer(context);
      return continueGrant(context);
    case 'identity':
      return continueGrant(context);
  }
}

/** `renew` and `identity`: the same assignment goes on. */
async function continueGrant(context: Begin): Promise<Granted> {
  const { trx, device, checked, nowMs, database, challenges, find } = context;
  assertPinned(context);
  assertNotInRecovery(device);
  await challenges.use(trx, { nonce: checked.request.nonce, deviceUuid: device.device_uuid, nowMs });
  const assignment = await repository.activeAssignment(trx, device.id);
  if (assignment === undefined) throw assignmentEnded();
  if (device.clone_seen_at === null) return assignment;

  // The original is back after a copy of its card was seen: which of the two is honest only the owner can tell.
  await trx
    .updateTable('devices')
    .set({ life_cycle: 'RECOVERY_NEEDED' })
    .where('id', '=', device.id)
    .execute();
  await revokeCertificates(trx, { deviceId: device.id, reason: 'keyCompromise', at: new Date(nowMs) });
  await repository.dropSecret(trx, assignment.id);
  await endSession(database, trx, { deviceUuid: device.device_uuid, reason: 'clone suspected' });
  find({ event: { deviceId: device.id, code: 'CLONE_CONFIRMED' }, alert: true });
  return { refused: recoveryNeeded() };
}

/**
 * The key of this CSR has a row already: the answer was lost, or comes a second time. The identity key has signed
 * it again, so the device gets what was made, and never a second certificate.
 */
async function repeat(context: Begin, known: CertificateRow): Promise<Begun> {
  const { trx, checked, device, nowMs, challenges } = context;
  assertPinned(context);
  assertNotInRecovery(device);
  if (known.request_hash !== checked.requestHash) {
    if (checked.request.grant === 'claim') throw keyInUse();
    if (checked.request.grant === 'renew') assertPeer(context);
    await challenges.use(trx, { nonce: checked.request.nonce, deviceUuid: device.device_uuid, nowMs });
  }
  const assignment = await repository.activeAssignment(trx, device.id);
  if (assignment?.id !== known.assignment_id) throw assignmentEnded();
  const usable =
    known.status === 'PENDING' ||
    (known.status === 'ACTIVE' && known.not_after !== null && known.not_after.getTime() > nowMs);
  if (!usable) {
    throw refuse('KEY_IN_USE', 'The certificate of this key is no longer valid: make a new key.');
  }
  return { certificateId: known.id };
}

function assertPeer({ checked, device }: Begin): void {
  if (checked.peer?.deviceId === device.id) return;
  throw refuse(
    'CERTIFICATE_REQUIRED',
    'Grant renew needs a valid certificate of this device; without one use grant identity.',
  );
}

/** 128 random bits, positive and with a first byte that is not zero (RFC 5280, 4.1.2.2). */
function drawSerial(random: RandomBytes): string {
  const bytes = random(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}
