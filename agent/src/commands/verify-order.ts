import type { OrderType, Parsed } from '@ares/protocol';
import { describeIssues } from '@ares/protocol';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';

/** Why an order is ignored. It may come from anybody who can reach the broker, so nobody is answered. */
export type OrderProblem =
  | 'NOT_AN_ORDER'
  | 'SIGNATURE'
  | 'TYPE'
  | 'CLAIMS'
  | 'AUDIENCE'
  | 'ASSIGNMENT'
  | 'TOPIC';

export type VerifiedOrder<T> =
  | { readonly ok: true; readonly claims: T }
  | { readonly ok: false; readonly problem: OrderProblem; readonly detail: string };

/** Largest order in bytes; a command is about 600. */
const MAX_ORDER_BYTES = 8_192;
/** Nothing else may stand in the header: no key, no address of one, no extension. */
const HEADER_MEMBERS = ['alg', 'kid', 'typ'];

/** What binds an order to one device, one owner, one place. */
export interface OrderBinding {
  readonly deviceUuid: string;
  readonly assignment: number;
  /** The topic that the order was received on. */
  readonly topic: string;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Verifies orders with the keys of the trust file, and no others. */
export function createOrderVerifier(commandKeys: { readonly keys: readonly object[] }) {
  const keys = createLocalJWKSet(commandKeys as JSONWebKeySet);
  /** Signature, exact type, strict claims, and that it is meant for this device, this owner and this topic. */
  return async <T extends { aud: string; asg: number; topic: string }>(
    payload: Uint8Array,
    expected: OrderBinding & { readonly typ: OrderType; readonly parse: (input: unknown) => Parsed<T> },
  ): Promise<VerifiedOrder<T>> => {
    const fail = (problem: OrderProblem, detail: string) => ({ ok: false, problem, detail }) as const;
    if (payload.length > MAX_ORDER_BYTES) return fail('NOT_AN_ORDER', `${payload.length} bytes`);
    let verified: Awaited<ReturnType<typeof compactVerify>>;
    try {
      verified = await compactVerify(decoder.decode(payload), keys, { algorithms: ['EdDSA'] });
    } catch (cause) {
      return fail('SIGNATURE', cause instanceof Error ? `${codeOf(cause)} ${cause.message}` : String(cause));
    }
    const { protectedHeader: header } = verified;
    if (header.typ !== expected.typ) return fail('TYPE', `typ ${String(header.typ)}`);
    const foreign = Object.keys(header).find((name) => !HEADER_MEMBERS.includes(name));
    if (foreign !== undefined || header.kid === undefined)
      return fail('TYPE', `header ${foreign ?? 'without kid'}`);
    const parsed = expected.parse(jsonOf(verified.payload));
    if (!parsed.ok) return fail('CLAIMS', describeIssues(parsed.issues));
    const { aud, asg, topic } = parsed.value;
    if (aud !== expected.deviceUuid) return fail('AUDIENCE', aud);
    if (asg !== expected.assignment) return fail('ASSIGNMENT', `${asg}, not ${expected.assignment}`);
    if (topic !== expected.topic) return fail('TOPIC', `made for ${topic}, came on ${expected.topic}`);
    return { ok: true, claims: parsed.value };
  };
}

export type OrderVerifier = ReturnType<typeof createOrderVerifier>;

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(payload));
  } catch {
    return undefined;
  }
}

function codeOf(cause: Error): string {
  return 'code' in cause ? String(cause.code) : cause.name;
}
