import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { type DevicePublicKey, toBase64url } from '../../src/offline-tokens/index.ts';

/** A pair that is the same at each run, so that what it signs is too. Never a key of anything real. */
export interface TestKey {
  readonly jwk: DevicePublicKey;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

const utf8 = (text: string) => new TextEncoder().encode(text);

export function ed25519Key(kid: string, fill: number): TestKey {
  const secret = new Uint8Array(32).fill(fill);
  const x = toBase64url(ed25519.getPublicKey(secret));
  return {
    jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' },
    sign: (message) => ed25519.sign(message, secret),
  };
}

export function p256Key(kid: string, fill: number, options: { readonly highS?: boolean } = {}): TestKey {
  const secret = new Uint8Array(32).fill(fill);
  const point = p256.getPublicKey(secret, false);
  const [x, y] = [toBase64url(point.slice(1, 33)), toBase64url(point.slice(33))];
  return {
    jwk: { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' },
    sign(message) {
      const low = p256.Signature.fromBytes(p256.sign(message, secret), 'compact');
      if (options.highS !== true) return low.toBytes('compact');
      return new p256.Signature(low.r, p256.Point.Fn.ORDER - low.s).toBytes('compact');
    },
  };
}

/** A compact JWS. `header` and `payload` replace members; a text is taken as it is. */
export function jws(
  key: TestKey,
  typ: string,
  payload: object | string,
  header: Readonly<Record<string, unknown>> | string = {},
): string {
  const { alg, kid } = key.jwk;
  const head = typeof header === 'string' ? header : JSON.stringify({ alg, typ, kid, ...header });
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const signed = `${toBase64url(utf8(head))}.${toBase64url(utf8(body))}`;
  return `${signed}.${toBase64url(key.sign(utf8(signed)))}`;
}
