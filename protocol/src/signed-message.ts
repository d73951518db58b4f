/**
 * The signed message of DESIGN §4: plain JSON whose first member is the MAC, exactly
 * `{"mac":"<64 lower-case hex>",` and then the rest. The MAC is HMAC-SHA-256 (RFC 2104) over
 * `ARES-HMAC-SHA256-V1\n` + topic as published + `\n` + every byte after that prefix.
 * Nothing is canonicalised and nothing is parsed before it is verified.
 */

/** HMAC-SHA-256 over the chunks in order, as 64 lower-case hex digits, under a key that the caller holds. */
export type Mac = (chunks: readonly Uint8Array[]) => string;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const OPEN = encoder.encode('{"mac":"');
const CLOSE = encoder.encode('",');
const HEX_LENGTH = 64;

/** Length of `{"mac":"…",`: where the signed bytes begin. */
export const SIGNED_PREFIX_LENGTH = OPEN.length + HEX_LENGTH + CLOSE.length;
/** Largest signed message on the wire. */
export const MAX_SIGNED_MESSAGE_BYTES = 65_536;

export type OpenProblem = 'NOT_SIGNED' | 'MAC_MISMATCH' | 'NOT_JSON' | 'TOO_LARGE';
export type Opened =
  | { readonly ok: true; readonly value: unknown; readonly key: number }
  | { readonly ok: false; readonly problem: OpenProblem };

function head(topic: string): Uint8Array {
  return encoder.encode(`ARES-HMAC-SHA256-V1\n${topic}\n`);
}

/**
 * Frames `body` for `topic`.
 * @throws {TypeError} when the body is empty or already has a `mac`
 */
export function signMessage(topic: string, body: object, mac: Mac): Uint8Array {
  const text = JSON.stringify(body);
  if (text === '{}' || 'mac' in body) throw new TypeError('A signed message needs members other than mac.');
  const rest = encoder.encode(text.slice(1));
  const digest = mac([head(topic), rest]);
  const out = new Uint8Array(SIGNED_PREFIX_LENGTH + rest.length);
  out.set(OPEN, 0);
  out.set(encoder.encode(digest), OPEN.length);
  out.set(CLOSE, OPEN.length + HEX_LENGTH);
  out.set(rest, SIGNED_PREFIX_LENGTH);
  return out;
}

/**
 * Verifies `payload` as published on `topic` against each key in turn (old and new secret during a rotation)
 * and parses it only then. `key` is the index of the key that fits.
 */
export function openSignedMessage(topic: string, payload: Uint8Array, keys: readonly Mac[]): Opened {
  if (payload.length > MAX_SIGNED_MESSAGE_BYTES) return { ok: false, problem: 'TOO_LARGE' };
  const claimed = claimedMac(payload);
  if (claimed === undefined) return { ok: false, problem: 'NOT_SIGNED' };
  const rest = payload.subarray(SIGNED_PREFIX_LENGTH);
  const chunks = [head(topic), rest];
  const key = keys.findIndex((mac) => equalText(mac(chunks), claimed));
  if (key === -1) return { ok: false, problem: 'MAC_MISMATCH' };
  try {
    return { ok: true, value: JSON.parse(`{${decoder.decode(rest)}`), key };
  } catch {
    return { ok: false, problem: 'NOT_JSON' };
  }
}

function claimedMac(payload: Uint8Array): string | undefined {
  if (payload.length <= SIGNED_PREFIX_LENGTH) return undefined;
  for (let i = 0; i < OPEN.length; i++) if (payload[i] !== OPEN[i]) return undefined;
  const closeAt = OPEN.length + HEX_LENGTH;
  if (payload[closeAt] !== CLOSE[0] || payload[closeAt + 1] !== CLOSE[1]) return undefined;
  let text = '';
  for (let i = OPEN.length; i < closeAt; i++) text += String.fromCharCode(payload[i]!);
  return /^[0-9a-f]{64}$/.test(text) ? text : undefined;
}

/** Compares in a time that does not depend on where the texts differ. */
function equalText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
