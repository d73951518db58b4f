import { createDecipheriv, hkdfSync } from 'node:crypto';
import { parseWifiSettings, WIFI_CHANGE_KEY_INFO, type WifiSettings } from '@ares/protocol';

const TAG_BYTES = 16;
const IV_BYTES = 12;
const KEY_BYTES = 32;

/**
 * Opens the Wi-Fi credentials of an order: a compact JWE with exactly the header `{ alg: dir, enc: A256GCM, kid }`.
 * `undefined` when it was not sealed with this secret for this device, or holds anything else than credentials.
 */
export function openWifi(
  jwe: string,
  by: { readonly deviceUuid: string; readonly kid: string; readonly sharedSecret: string },
): WifiSettings | undefined {
  const [header = '', key, iv = '', ciphertext = '', tag = '', ...more] = jwe.split('.');
  if (key !== '' || more.length > 0 || !isHeader(header, by.kid)) return undefined;
  try {
    const secret = Buffer.from(by.sharedSecret, 'base64url');
    const derived = Buffer.from(hkdfSync('sha256', secret, by.deviceUuid, WIFI_CHANGE_KEY_INFO, KEY_BYTES));
    const nonce = Buffer.from(iv, 'base64url');
    const mac = Buffer.from(tag, 'base64url');
    if (nonce.length !== IV_BYTES || mac.length !== TAG_BYTES) return undefined;
    const cipher = createDecipheriv('aes-256-gcm', derived, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(header, 'ascii')).setAuthTag(mac);
    const plain = Buffer.concat([cipher.update(Buffer.from(ciphertext, 'base64url')), cipher.final()]);
    const parsed = parseWifiSettings(JSON.parse(plain.toString('utf8')));
    return parsed.ok ? parsed.value : undefined;
  } catch {
    return undefined;
  }
}

function isHeader(part: string, kid: string): boolean {
  try {
    const header = JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
    const { alg, enc, kid: of, ...others } = header;
    return alg === 'dir' && enc === 'A256GCM' && of === kid && Object.keys(others).length === 0;
  } catch {
    return false;
  }
}
