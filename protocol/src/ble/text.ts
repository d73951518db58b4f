import { bytesToHex } from '@noble/hashes/utils.js';

/*
 * Strict UTF-8 by the URI functions: they are in every JavaScript engine, React Native's included (which has
 * long had no TextDecoder), and unlike TextEncoder they throw on a lone surrogate instead of replacing it.
 */

/** UTF-8 bytes of a text. @throws {URIError} when the text holds a lone surrogate. */
export function toUtf8(text: string): Uint8Array {
  const escaped = encodeURIComponent(text);
  const bytes = new Uint8Array(escaped.length);
  let length = 0;
  for (let at = 0; at < escaped.length; at += 1) {
    if (escaped[at] === '%') {
      bytes[length++] = Number.parseInt(escaped.slice(at + 1, at + 3), 16);
      at += 2;
    } else {
      bytes[length++] = escaped.charCodeAt(at);
    }
  }
  return bytes.slice(0, length);
}

/** Text of UTF-8 bytes. @throws {URIError} when the bytes are not well-formed UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return decodeURIComponent(bytesToHex(bytes).replace(/../g, '%$&'));
}
