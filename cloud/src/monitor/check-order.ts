import {
  describeIssues,
  orderTypes,
  type Parsed,
  parseCommandClaims,
  parseComponentsChangedClaims,
  parseResetClaims,
  parseWifiChangeClaims,
  type topics,
} from '@ares/protocol';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { Checked, OrderProblem } from './types.ts';

type Claims = { aud: string; asg: number; topic: string; exp?: number | undefined };

/** What an order on each topic must be. */
export const orders: Partial<
  Record<keyof typeof topics, { typ: string; parse?: (input: unknown) => Parsed<Claims> }>
> = {
  command: { typ: orderTypes.command, parse: parseCommandClaims },
  componentsChanged: { typ: orderTypes.componentsChanged, parse: parseComponentsChangedClaims },
  wifiChange: { typ: orderTypes.wifiChange, parse: parseWifiChangeClaims },
  systemReset: { typ: orderTypes.reset, parse: parseResetClaims },
  otaNotify: { typ: 'ota+jwt' },
};

const HEADER_MEMBERS = ['alg', 'kid', 'typ'];
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Checks orders as a device does that has these keys in its trust file. */
export function createOrderCheck(commandKeys: { readonly keys: readonly object[] }) {
  const keys = createLocalJWKSet(commandKeys as JSONWebKeySet);
  return async (
    { typ, parse }: NonNullable<(typeof orders)[keyof typeof orders]>,
    payload: Uint8Array,
    expected: {
      readonly topic: string;
      readonly deviceUuid: string;
      /** Number of the running assignment. */
      readonly assignment: number | undefined;
      readonly now: number;
    },
  ): Promise<Checked> => {
    let verified: Awaited<ReturnType<typeof compactVerify>>;
    try {
      verified = await compactVerify(decoder.decode(payload), keys, { algorithms: ['EdDSA'] });
    } catch (cause) {
      return { verdict: 'SIGNATURE', detail: cause instanceof Error ? cause.message : String(cause) };
    }
    const { alg: _, typ: found, ...header } = verified.protectedHeader;
    const { kid } = header;
    const fail = (verdict: OrderProblem | 'SCHEMA', detail: string) => ({
      verdict,
      ...(kid !== undefined && { kid }),
      detail,
    });
    const foreign = Object.keys(header).find((name) => !HEADER_MEMBERS.includes(name));
    if (found !== typ || kid === undefined || foreign !== undefined)
      return fail('TYPE', `${String(found)}, expected ${typ} with kid and nothing else`);
    let input: unknown;
    try {
      input = JSON.parse(decoder.decode(verified.payload));
    } catch {
      return fail('CLAIMS', 'no JSON');
    }
    if (parse === undefined) return { verdict: 'OK', kid, detail: '', body: input };
    const parsed = parse(input);
    if (!parsed.ok) return fail('CLAIMS', describeIssues(parsed.issues));
    const { aud, asg, topic, exp } = parsed.value;
    const body = parsed.value;
    if (aud !== expected.deviceUuid) return { ...fail('AUDIENCE', `made for ${aud}`), body };
    if (topic !== expected.topic) return { ...fail('TOPIC', `made for ${topic}`), body };
    if (expected.assignment !== undefined && asg !== expected.assignment)
      return { ...fail('ASSIGNMENT', `of assignment ${asg}, not ${expected.assignment}`), body };
    if (exp !== undefined && exp * 1_000 < expected.now)
      return { ...fail('EXPIRED', `ended ${new Date(exp * 1_000).toISOString()}`), body };
    return { verdict: 'OK', kid, detail: '', body };
  };
}
