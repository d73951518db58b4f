import * as z from 'zod/mini';
import { publicKeySchema } from '../trust.ts';
import { MOST_DEVICE_KEYS } from './claims.ts';

const coordinate = z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/));

/** A public P-256 key as JWK (RFC 7518). */
const p256KeySchema = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: coordinate,
  y: coordinate,
  kid: z.string().check(z.minLength(1), z.maxLength(100)),
  alg: z.literal('ES256'),
  use: z.literal('sig'),
});

/** A public key that signs offline tokens. Strict, so that no private member can ever be part of it. */
export const deviceKeySchema = z.union([publicKeySchema, p256KeySchema]);
export type DevicePublicKey = z.infer<typeof deviceKeySchema>;

/** What `GET /api/devices/{id}/jwks` answers (RFC 7517). */
export const deviceJwksSchema = z.strictObject({
  keys: z.array(deviceKeySchema).check(z.maxLength(MOST_DEVICE_KEYS)),
});
export type DeviceJwks = z.infer<typeof deviceJwksSchema>;

const foreignJwks = z.object({ keys: z.array(z.unknown()).check(z.maxLength(MOST_DEVICE_KEYS)) });

/**
 * The keys of a fetched set that are understood; others are passed over (RFC 7517 §5).
 * @returns `undefined` when it is no key set
 */
export function parseJwks(input: unknown): readonly DevicePublicKey[] | undefined {
  const set = z.safeParse(foreignJwks, input);
  if (!set.success) return undefined;
  return set.data.keys.flatMap((key) => {
    const parsed = z.safeParse(deviceKeySchema, key);
    return parsed.success ? [parsed.data] : [];
  });
}
