import { createCipheriv, hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import { orderTypes, topics, WIFI_CHANGE_KEY_INFO, type WifiChangeClaims } from '@ares/protocol';
import { deviceUuid, sharedSecret, signOrder } from './fake-cloud.ts';
import type { Bench } from './session-bench.ts';

const part = (value: Uint8Array | string) => Buffer.from(value).toString('base64url');

/** Seals as the cloud does, with nothing of the agent's own code. */
export function seal(
  plaintext: string,
  to: { secret?: string; uuid?: string; kid?: string; header?: object } = {},
): string {
  const { secret = sharedSecret, uuid = deviceUuid, kid = 'a1.1' } = to;
  const key = hkdfSync('sha256', Buffer.from(secret, 'base64url'), uuid, WIFI_CHANGE_KEY_INFO, 32);
  const header = part(JSON.stringify(to.header ?? { alg: 'dir', enc: 'A256GCM', kid }));
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key), iv).setAAD(Buffer.from(header));
  const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return `${header}..${part(iv)}.${part(sealed)}.${part(cipher.getAuthTag())}`;
}

/** Claims of an order to change the Wi-Fi, valid unless told otherwise. */
export function wifiClaims(bench: Bench, over: Partial<WifiChangeClaims> = {}): WifiChangeClaims {
  const now = bench.clock.trueNow() / 1_000;
  return {
    aud: deviceUuid,
    asg: 1,
    topic: topics.wifiChange.build({ deviceUuid }),
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
    seq: 1,
    credentials: seal(JSON.stringify({ ssid: 'greenhouse', password: 'tomatoes and basil' })),
    ...over,
  };
}

/** Delivers it and waits until the device has read it. */
export async function orderWifi(
  bench: Bench,
  claims: WifiChangeClaims,
  options: { typ?: string; topic?: string } = {},
): Promise<void> {
  const { typ = orderTypes.wifiChange, topic = topics.wifiChange.build({ deviceUuid }) } = options;
  bench.broker.deliver(topic, await signOrder(claims, { typ }));
  await bench.cloud.allOrdersRead();
}
