import { parseTimeClaims } from '@ares/protocol';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { Clock } from '../ports/clock.ts';
import type { SignedTime } from './trusted-clock.ts';

/** `typ` of the answer. */
const TYPE = 'time+jwt';

/**
 * Asks the cloud what time it is, and believes only what a command key of the trust file signed together with the
 * nonce of this very question: an old answer is worth nothing, whoever kept it.
 *
 * @param ports.ask the cloud's answer, a compact JWS
 * @throws whatever `ask` throws; Error when the answer is not the cloud's signed word on this question
 */
export async function askSignedTime(ports: {
  readonly ask: (nonce: string) => Promise<string>;
  readonly commandKeys: { readonly keys: readonly object[] };
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly random: (count: number) => Uint8Array;
}): Promise<SignedTime> {
  const { ask, clock } = ports;
  const keys = createLocalJWKSet(ports.commandKeys as JSONWebKeySet);
  const nonce = Buffer.from(ports.random(16)).toString('base64url');
  const askedAt = clock.monotonicMs();
  const token = await ask(nonce);
  const answeredAt = clock.monotonicMs();
  const { payload, protectedHeader } = await compactVerify(token, keys, { algorithms: ['EdDSA'] });
  if (protectedHeader.typ !== TYPE) throw new Error('What the cloud signed is no time.');
  const claims = parseTimeClaims(JSON.parse(new TextDecoder().decode(payload)));
  if (!claims.ok || claims.value.nonce !== nonce)
    throw new Error('What the cloud signed is no answer to this question.');
  return { epochMs: claims.value.iat * 1_000, askedAt, answeredAt };
}
