import { generateKeyPairSync } from 'node:crypto';
import type { DevicePublicKey } from '@ares/protocol/offline-tokens';
import { CompactSign, calculateJwkThumbprint, importJWK } from 'jose';
import type { KeyAlgorithm } from './types.ts';

/** `d` of a JWK (RFC 7518 §6.2.2, RFC 8037 §2) beside the public members. */
type PrivateJwk = DevicePublicKey & { readonly d: string };

/** Names the place of a sealed private key, for `SecretStore.seal` and `open`: in another row it does not open. */
export function keyContext(deviceUuid: string, kid: string): string {
  return `device-key:${deviceUuid}:${kid}`;
}

/** A new pair; `kid` is the RFC 7638 thumbprint. */
export async function drawKey(
  alg: KeyAlgorithm,
): Promise<{ readonly publicJwk: DevicePublicKey; readonly privateJwk: PrivateJwk }> {
  if (alg === 'ED25519') {
    const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    const base = { kty: 'OKP', crv: 'Ed25519', x: x! } as const;
    const kid = await calculateJwkThumbprint(base);
    const publicJwk = { ...base, kid, alg: 'EdDSA', use: 'sig' } as const;
    return { publicJwk, privateJwk: { ...publicJwk, d: d! } };
  }
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y, d } = pair.privateKey.export({ format: 'jwk' });
  const base = { kty: 'EC', crv: 'P-256', x: x!, y: y! } as const;
  const kid = await calculateJwkThumbprint(base);
  const publicJwk = { ...base, kid, alg: 'ES256', use: 'sig' } as const;
  return { publicJwk, privateJwk: { ...publicJwk, d: d! } };
}

/** A compact JWS by an opened private JWK. */
export async function signWith(
  opened: Uint8Array,
  typ: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const jwk = JSON.parse(Buffer.from(opened).toString('utf8')) as PrivateJwk;
  return await new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: jwk.alg, typ, kid: jwk.kid })
    .sign(await importJWK({ ...jwk }, jwk.alg));
}
