import {
  describeIssues,
  orderTypes,
  type Parsed,
  parseResetClaims,
  parseStandingClaims,
  type ResetClaims,
  type StandingClaims,
  topics,
} from '@ares/protocol';
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import type { Trust } from '../identity/types.ts';

/** Why an order or a standing is not obeyed. */
type OrderErrorCode = 'NOT_AUTHENTIC' | 'MALFORMED' | 'FOREIGN' | 'REPLAYED';

class OrderError extends Error {
  override readonly name = 'OrderError';
  readonly code: OrderErrorCode;

  constructor(code: OrderErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * A standing as the cloud signed it for this very question.
 * @throws {OrderError} NOT_AUTHENTIC, MALFORMED, FOREIGN (other device), REPLAYED (other nonce)
 */
export async function verifyStanding(
  token: string,
  context: { readonly trust: Trust; readonly deviceUuid: string; readonly nonce: string },
): Promise<StandingClaims> {
  const claims = await verify(token, orderTypes.standing, context, parseStandingClaims);
  if (claims.nonce !== context.nonce) {
    throw new OrderError('REPLAYED', 'The standing answers another question than this one.');
  }
  return claims;
}

/**
 * A reset order for this device in this assignment. It has no expiry: outside its assignment it is worthless.
 * @param context.assignment undefined only when the device lost the record of it
 * @param context.orLater for an order inside a fresh standing: the cloud may have had this device claimed again
 *   without its knowing
 * @throws {OrderError} NOT_AUTHENTIC, MALFORMED, FOREIGN (other device, assignment or topic)
 */
export async function verifyResetOrder(
  token: string,
  context: {
    readonly trust: Trust;
    readonly deviceUuid: string;
    readonly assignment: number | undefined;
    readonly orLater?: boolean;
  },
): Promise<ResetClaims> {
  const { deviceUuid, assignment, orLater = false } = context;
  const claims = await verify(token, orderTypes.reset, context, parseResetClaims);
  const fits = assignment === undefined || claims.asg === assignment || (orLater && claims.asg > assignment);
  if (!fits) {
    throw new OrderError('FOREIGN', `The order is for assignment ${claims.asg}, not ${assignment}.`);
  }
  if (claims.topic !== topics.systemReset.build({ deviceUuid })) {
    throw new OrderError('FOREIGN', 'The order is not one of reset.');
  }
  return claims;
}

async function verify<T>(
  token: string,
  typ: string,
  context: { readonly trust: Trust; readonly deviceUuid: string },
  parse: (input: unknown) => Parsed<T>,
): Promise<T> {
  let payload: unknown;
  try {
    const keys = createLocalJWKSet({ keys: [...context.trust.commandKeys.keys] });
    // No age is checked: the clock may be wrong when this is asked. Nonce and assignment bind the answer instead.
    ({ payload } = await jwtVerify(token, keys, {
      algorithms: ['EdDSA'],
      typ,
      audience: context.deviceUuid,
    }));
  } catch (cause) {
    const foreign = cause instanceof errors.JWTClaimValidationFailed && cause.claim === 'aud';
    if (foreign) throw new OrderError('FOREIGN', 'It is for another device.', { cause });
    throw new OrderError('NOT_AUTHENTIC', 'It is not signed by a key of the trust file.', { cause });
  }
  const parsed = parse(payload);
  if (!parsed.ok) throw new OrderError('MALFORMED', describeIssues(parsed.issues));
  return parsed.value;
}
