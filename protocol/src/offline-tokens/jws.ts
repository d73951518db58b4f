import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { fromUtf8, toUtf8 } from '../ble/text.ts';
import { fromBase64url } from './base64url.ts';
import type { OfflineTokenProblem } from './claims.ts';
import type { DevicePublicKey } from './jwks.ts';

/** Longest compact JWS that is looked at, in characters. */
const MAX_LENGTH = 16_384;
const SIGNATURE_BYTES = 64;
/** Nothing else may stand in the header: no key, no address of one, no extension. */
const HEADER_MEMBERS = ['alg', 'kid', 'typ'];
const ALGORITHMS: readonly unknown[] = ['EdDSA', 'ES256'] satisfies DevicePublicKey['alg'][];

type JwsProblem = Extract<
  OfflineTokenProblem,
  'MALFORMED' | 'ALGORITHM' | 'TYPE' | 'UNKNOWN_KEY' | 'SIGNATURE'
>;

/** A JWS as it was sent; nothing of it may be believed before {@link hasSignatureOf}. */
export interface ReadJws {
  readonly alg: DevicePublicKey['alg'];
  readonly kid: string;
  /** The JSON of the payload. */
  readonly payload: unknown;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

export type JwsResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: JwsProblem };

const fail = (problem: JwsProblem) => ({ ok: false, problem }) as const;

/** Takes a compact JWS (RFC 7515) of the type apart. */
export function readJws(token: string, typ: string): JwsResult<ReadJws> {
  const parts = token.length <= MAX_LENGTH ? token.split('.') : [];
  const [header, payload, signature] = parts.map(fromBase64url);
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined)
    return fail('MALFORMED');
  const head = jsonOf(header);
  if (typeof head !== 'object' || head === null || Array.isArray(head)) return fail('MALFORMED');
  const { alg, kid, typ: type } = head as Record<string, unknown>;
  if (!ALGORITHMS.includes(alg)) return fail('ALGORITHM');
  if (type !== typ) return fail('TYPE');
  if (typeof kid !== 'string' || Object.keys(head).some((name) => !HEADER_MEMBERS.includes(name)))
    return fail('MALFORMED');
  const body = jsonOf(payload);
  if (body === undefined) return fail('MALFORMED');
  const signed = toUtf8(token.slice(0, token.lastIndexOf('.')));
  return {
    ok: true,
    value: { alg: alg as DevicePublicKey['alg'], kid, payload: body, signed, signature },
  };
}

/** Whether the JWS was signed by the key, with the algorithm that is the key's own. */
export function verifyJws(jws: ReadJws, key: DevicePublicKey | undefined): JwsResult<unknown> {
  if (key === undefined) return fail('UNKNOWN_KEY');
  if (key.alg !== jws.alg) return fail('ALGORITHM');
  return hasSignatureOf(jws, key) ? { ok: true, value: jws.payload } : fail('SIGNATURE');
}

function hasSignatureOf({ signed, signature }: ReadJws, key: DevicePublicKey): boolean {
  const x = fromBase64url(key.x);
  if (x === undefined || signature.length !== SIGNATURE_BYTES) return false;
  try {
    switch (key.alg) {
      case 'EdDSA':
        return ed25519.verify(signature, signed, x, { zip215: false });
      case 'ES256': {
        const y = fromBase64url(key.y);
        if (y === undefined) return false;
        // JOSE allows the upper half of s, which other libraries produce.
        return p256.verify(signature, signed, Uint8Array.of(4, ...x, ...y), { lowS: false });
      }
    }
  } catch {
    return false; // The key is no point of its curve.
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch {
    return undefined;
  }
}
