import { hkdfSync } from 'node:crypto';
import { WIFI_CHANGE_KEY_INFO, type WifiSettings } from '@ares/protocol';
import { CompactEncrypt } from 'jose';

const encoder = new TextEncoder();

/** Seals Wi-Fi credentials for the one device that shares the secret; see `WifiChangeClaims` for the form. */
export async function sealWifi(
  credentials: WifiSettings,
  to: { readonly deviceUuid: string; readonly kid: string; readonly sharedSecret: Uint8Array },
): Promise<string> {
  const { deviceUuid, kid, sharedSecret } = to;
  const key = new Uint8Array(hkdfSync('sha256', sharedSecret, deviceUuid, WIFI_CHANGE_KEY_INFO, 32));
  return await new CompactEncrypt(encoder.encode(JSON.stringify(credentials)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
    .encrypt(key);
}
