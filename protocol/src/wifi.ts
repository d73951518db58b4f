import * as z from 'zod/mini';
import { type Parsed, parseWith } from './parse.ts';

/*
 * What names a network and opens it, over Bluetooth as by order. Lengths are those of IEEE 802.11, in bytes.
 */

/** Length in UTF-8; -1 for text that cannot be written in it. Without TextEncoder, which React Native long lacked. */
function utf8Length(text: string): number {
  try {
    return encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, 'x').length;
  } catch {
    return -1;
  }
}

function utf8Text(min: number, max: number) {
  return z.string().check(
    z.refine((text) => {
      const length = utf8Length(text);
      return length >= min && length <= max;
    }, `must have ${min} to ${max} bytes of UTF-8`),
    // A NUL cannot be an argument of a program and a newline would begin another line of a settings file.
    z.refine((text) => !hasControlCharacter(text), 'must have no control characters'),
  );
}

function hasControlCharacter(text: string): boolean {
  return [...text].some((character) => character < ' ' || (character >= '\u007f' && character <= '\u009f'));
}

/** Name of a network: 1 to 32 bytes of UTF-8 without control characters; everything else is taken literally. */
export const ssidSchema = utf8Text(1, 32);

/** WPA passphrase, 8 to 63 bytes. */
export const passphraseSchema = utf8Text(8, 63);

export const wifiSettingsSchema = z.strictObject({
  ssid: ssidSchema,
  /** Absent for an open network. */
  password: z.optional(passphraseSchema),
});
export type WifiSettings = z.infer<typeof wifiSettingsSchema>;

export const parseWifiSettings = (input: unknown): Parsed<WifiSettings> =>
  parseWith(wifiSettingsSchema, input);
