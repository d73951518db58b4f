import { type MessageHeader, openSignedMessage } from '@ares/protocol';
import type { SecurityEventCode } from '../ports/security-reporter.ts';
import type { DeviceKey, KnownDevice } from './types.ts';

/** A message whose MAC fits a secret of the running assignment; its members are still to be parsed. */
export type Verified =
  | { readonly ok: true; readonly value: unknown; readonly key: DeviceKey }
  | { readonly ok: false; readonly code: SecurityEventCode };

/** The MAC first: nothing is parsed before it fits. */
export function verifyMessage(
  device: KnownDevice,
  topic: string,
  payload: Uint8Array,
  now: number,
): Verified {
  const keys = device.keys.filter(({ endsAt }) => endsAt === undefined || endsAt > now);
  const opened = openSignedMessage(
    topic,
    payload,
    keys.map(({ mac }) => mac),
  );
  if (opened.ok) return { ok: true, value: opened.value, key: keys[opened.key]! };
  return { ok: false, code: opened.problem === 'MAC_MISMATCH' ? 'MAC_MISMATCH' : 'NOT_SIGNED' };
}

type Identity = Pick<
  MessageHeader,
  'kid' | 'assignment' | 'cpuSerial' | 'hardwareVersion' | 'hardwareVariant'
>;

/** Whether a parsed message speaks of the very device and assignment whose key signed it. */
export function checkIdentity(
  device: KnownDevice,
  key: DeviceKey,
  header: Identity,
  userEmail?: string,
): SecurityEventCode | undefined {
  if (header.kid !== key.kid || header.assignment !== device.assignment?.number) return 'KEY_UNKNOWN';
  if (userEmail !== undefined && !isOwners(device.assignment, userEmail)) return 'TOPIC_OWNER_MISMATCH';
  if (header.cpuSerial !== device.cpuSerial) return 'PAIR_MISMATCH';
  if (header.hardwareVersion !== device.hardwareVersion || header.hardwareVariant !== device.hardwareVariant)
    return 'HARDWARE_MISMATCH';
  return undefined;
}

/** The MAC has shown whose key it is, so an address of before is as good as the present one, and nobody else's. */
function isOwners(
  { userEmail, formerEmails }: NonNullable<KnownDevice['assignment']>,
  named: string,
): boolean {
  return named === userEmail || formerEmails.includes(named);
}
