import { describe, expect, it } from 'vitest';
import {
  deriveSessionKey,
  formatLabel,
  formatSetupCode,
  generateSetupCode,
  parseLabel,
  parseSetupCode,
  sessionPrologue,
} from '../../src/ble/index.ts';
import { hex, SETUP_CODE, seededRandom, UUID } from './support.ts';

const text = formatSetupCode(SETUP_CODE);

describe('the text of a setup code', () => {
  it.each([1, 2, 3])('is read back as the same code, seed %i', (seed) => {
    const random = seededRandom(seed);
    for (let round = 0; round < 200; round += 1) {
      const code = generateSetupCode(random.bytes);
      expect(parseSetupCode(formatSetupCode(code))).toEqual(code);
    }
  });

  it('covers the smallest and the largest code', () => {
    for (const byte of [0, 255]) {
      const code = new Uint8Array(16).fill(byte);
      expect(parseSetupCode(formatSetupCode(code))).toEqual(code);
    }
  });

  it('is read in lower case, with spaces or dashes anywhere, and with O, I and L for digits', () => {
    const code = Uint8Array.from({ length: 16 }, (_, at) => (at % 2 ? 0x01 : 0x10));
    const plain = formatSetupCode(code);
    expect(plain).toMatch(/[01]/);
    for (const typed of [
      plain.toLowerCase(),
      plain.replaceAll('-', ' '),
      ` ${plain.replaceAll('-', '')}\n`,
      plain.replaceAll('-', ' – '),
      plain.replaceAll('0', 'O').replaceAll('1', 'I'),
      plain.replaceAll('0', 'o').replaceAll('1', 'l'),
    ]) {
      expect(parseSetupCode(typed), typed).toEqual(code);
    }
  });

  it('notices every single wrong symbol and every swap of neighbours', () => {
    const plain = text.replaceAll('-', '');
    for (let at = 0; at < plain.length - 1; at += 1) {
      for (const symbol of '0123456789ABCDEFGHJKMNPQRSTVWXYZ') {
        if (symbol === plain[at]) continue;
        const wrong = plain.slice(0, at) + symbol + plain.slice(at + 1);
        expect(() => parseSetupCode(wrong), wrong).toThrow('SETUP_CODE_MISTYPED');
      }
      if (at === plain.length - 2 || plain[at] === plain[at + 1]) continue;
      const swapped = plain.slice(0, at) + plain[at + 1] + plain[at] + plain.slice(at + 2);
      expect(() => parseSetupCode(swapped), swapped).toThrow('SETUP_CODE_MISTYPED');
    }
  });

  it('says what is wrong, without repeating the code', () => {
    expect(() => parseSetupCode('')).toThrow('a setup code has 27 letters and digits, this one has 0');
    expect(() => parseSetupCode(text.slice(0, -2))).toThrow('SETUP_CODE_LENGTH');
    expect(() => parseSetupCode(`${text}0`)).toThrow('SETUP_CODE_LENGTH');
    expect(() => parseSetupCode(text.replace(/^./, '!'))).toThrow('symbol 1 of the setup code');
    expect(() => parseSetupCode(text.replace(/^./, 'U'))).toThrow('SETUP_CODE_CHARACTER');
    expect(() => parseSetupCode(text.replace(/^./, 'Z'))).toThrow('SETUP_CODE_MISTYPED');
  });
});

describe('the label', () => {
  it('carries the device and its code through a QR code', () => {
    const label = formatLabel({ uuid: UUID, setupCode: SETUP_CODE });
    expect(parseLabel(label)).toEqual({ uuid: UUID, setupCode: SETUP_CODE });
    expect(parseLabel(`${label.toUpperCase()}\n`)).toEqual({ uuid: UUID, setupCode: SETUP_CODE });
  });

  it.each(['https://example.org', 'ARES:2:x', `ARES:1:${'-'.repeat(36)}:${text}`])('refuses %s', (other) => {
    expect(() => parseLabel(other)).toThrow('LABEL_MALFORMED');
  });
});

describe('what the session is bound to', () => {
  it('is another key for another code', () => {
    expect(hex(deriveSessionKey(SETUP_CODE))).not.toBe(hex(deriveSessionKey(new Uint8Array(16))));
    expect(() => deriveSessionKey(new Uint8Array(15))).toThrow(RangeError);
  });

  it('is the device and the version', () => {
    expect(Buffer.from(sessionPrologue(UUID)).toString()).toBe(`ares-ble-v1${UUID}`);
    expect(() => sessionPrologue(UUID.toUpperCase())).toThrow(RangeError);
  });
});
