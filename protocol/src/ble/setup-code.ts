import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { BleError } from './errors.ts';
import { checkUuid } from './gatt.ts';
import type { RandomBytes } from './noise.ts';
import { toUtf8 } from './text.ts';

/** Bytes of a setup code. */
const SETUP_CODE_BYTES = 16;

/** Symbols of its text: 26 of content (130 bits, the first symbol is 0 to 7) and one of check. */
const SETUP_CODE_SYMBOLS = 27;

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const CHECK_ALPHABET = `${ALPHABET}*~$=U`;
const GROUP = 4;
const PROLOGUE_TAG = 'ares-ble-v1';

/** A new setup code. */
export function generateSetupCode(random: RandomBytes): Uint8Array {
  return Uint8Array.from(random(SETUP_CODE_BYTES));
}

/**
 * Text for the label: Crockford base32 of the code as one big-endian number, its check symbol (the number
 * modulo 37), in groups of four with a hyphen between.
 */
export function formatSetupCode(code: Uint8Array): string {
  return plainSetupCode(code).replace(new RegExp(`.{${GROUP}}(?=.)`, 'g'), '$&-');
}

/**
 * Reads what a person typed: any case, O for 0, I and L for 1, any spaces and dashes.
 *
 * @throws {BleError} SETUP_CODE_LENGTH, SETUP_CODE_CHARACTER, SETUP_CODE_MISTYPED; `detail` is for that person
 */
export function parseSetupCode(text: string): Uint8Array {
  const symbols = text
    .replace(/[\s\u2010-\u2015\u2212-]/g, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  // Characters outside the alphabet come first: they are the reason for most wrong lengths.
  const wrong = [...symbols].findIndex(
    (symbol, at) => !(at === SETUP_CODE_SYMBOLS - 1 ? CHECK_ALPHABET : ALPHABET).includes(symbol),
  );
  if (wrong >= 0 && wrong < SETUP_CODE_SYMBOLS) {
    throw new BleError(
      'SETUP_CODE_CHARACTER',
      `symbol ${wrong + 1} of the setup code is not one that setup codes use; compare it with the label`,
    );
  }
  if (symbols.length !== SETUP_CODE_SYMBOLS) {
    throw new BleError(
      'SETUP_CODE_LENGTH',
      `a setup code has ${SETUP_CODE_SYMBOLS} letters and digits, this one has ${symbols.length}`,
    );
  }
  let value = 0n;
  for (const symbol of symbols.slice(0, -1)) value = value * 32n + BigInt(ALPHABET.indexOf(symbol));
  if (value >> 128n !== 0n || CHECK_ALPHABET[Number(value % 37n)] !== symbols.at(-1)) {
    throw new BleError('SETUP_CODE_MISTYPED', 'the setup code has a typing error; compare it with the label');
  }
  return hexToBytes(value.toString(16).padStart(SETUP_CODE_BYTES * 2, '0'));
}

/** What the QR code on the label says: `ARES:1:<device UUID>:<setup code without hyphens>`. */
export function formatLabel(label: { uuid: string; setupCode: Uint8Array }): string {
  return `ARES:1:${checkUuid(label.uuid)}:${plainSetupCode(label.setupCode)}`;
}

/** Reads a QR code. @throws {BleError} LABEL_MALFORMED, SETUP_CODE_CHARACTER, SETUP_CODE_LENGTH, SETUP_CODE_MISTYPED */
export function parseLabel(text: string): { uuid: string; setupCode: Uint8Array } {
  const match = /^ARES:1:([0-9a-f-]{36}):([^:]+)$/i.exec(text.trim());
  if (!match?.[1] || !match[2]) {
    throw new BleError('LABEL_MALFORMED', 'this is not the QR code of an Ares device');
  }
  try {
    return { uuid: checkUuid(match[1].toLowerCase()), setupCode: parseSetupCode(match[2]) };
  } catch (error) {
    if (error instanceof BleError) throw error;
    throw new BleError('LABEL_MALFORMED', 'the device UUID in this QR code is damaged', { cause: error });
  }
}

/** The psk of the session: HKDF-SHA-256 of the 16 bytes, salt "ares-ble-v1", info "setup-code psk", 32 bytes. */
export function deriveSessionKey(code: Uint8Array): Uint8Array {
  return hkdf(sha256, checkCode(code), toUtf8(PROLOGUE_TAG), toUtf8('setup-code psk'), 32);
}

/** The prologue, 47 bytes: ASCII "ares-ble-v1" and right after it the device UUID as 36 lower-case characters. */
export function sessionPrologue(uuid: string): Uint8Array {
  return toUtf8(PROLOGUE_TAG + checkUuid(uuid));
}

function plainSetupCode(code: Uint8Array): string {
  const value = BigInt(`0x${bytesToHex(checkCode(code))}`);
  let symbols = CHECK_ALPHABET[Number(value % 37n)] ?? '';
  for (let bits = 0n; bits < 130n; bits += 5n) symbols = ALPHABET[Number((value >> bits) & 31n)] + symbols;
  return symbols;
}

function checkCode(code: Uint8Array): Uint8Array {
  if (code.length !== SETUP_CODE_BYTES) throw new RangeError(`a setup code has ${SETUP_CODE_BYTES} bytes`);
  return code;
}
