import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { NoiseInitiator, NoiseResponder } from '../../src/ble/index.ts';
import { seededRandom, utf8 } from './support.ts';

const psk = new Uint8Array(32).fill(1);
const prologue = utf8('prologue');
const options = (seed: number, change: { psk?: Uint8Array; prologue?: Uint8Array } = {}) => ({
  psk,
  prologue,
  random: seededRandom(seed).bytes,
  ...change,
});

function handshake() {
  const initiator = new NoiseInitiator(options(1));
  const responder = new NoiseResponder(options(2));
  responder.readMessage1(initiator.writeMessage1());
  const { message, transport: device } = responder.writeMessage2();
  return { device, phone: initiator.readMessage2(message).transport };
}

describe('two sides with one key', () => {
  it('agree and talk in both directions', () => {
    const { phone, device } = handshake();
    expect(phone.handshakeHash).toEqual(device.handshakeHash);
    for (let round = 0; round < 3; round += 1) {
      expect(device.receive.decrypt(phone.send.encrypt(utf8(`to ${round}`)))).toEqual(utf8(`to ${round}`));
      expect(phone.receive.decrypt(device.send.encrypt(utf8(`fro ${round}`)))).toEqual(utf8(`fro ${round}`));
    }
  });
});

describe('refusing the first message', () => {
  it.each([
    ['another setup code', { psk: new Uint8Array(32).fill(2) }],
    ['another device or version', { prologue: utf8('other') }],
  ])('BLE-01 of %s', (_, change) => {
    const message = new NoiseInitiator(options(1, change)).writeMessage1();
    expect(() => new NoiseResponder(options(2)).readMessage1(message)).toThrow('HANDSHAKE_FAILED');
  });

  it('with any one bit flipped', () => {
    const message = new NoiseInitiator(options(1)).writeMessage1();
    for (let bit = 0; bit < message.length * 8; bit += 1) {
      const forged = message.slice();
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => new NoiseResponder(options(2)).readMessage1(forged)).toThrow('HANDSHAKE_FAILED');
    }
  });

  it('of every length that is too short', () => {
    const message = new NoiseInitiator(options(1)).writeMessage1();
    for (let length = 0; length < message.length; length += 1) {
      expect(() => new NoiseResponder(options(2)).readMessage1(message.slice(0, length))).toThrow(
        'HANDSHAKE_FAILED',
      );
    }
  });
});

/** Points of low order on Curve25519 (RFC 7748 §6.1; list of https://cr.yp.to/ecdh.html#validate). */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((text) => Uint8Array.from(Buffer.from(text, 'hex')));

/** First message, or second to `first`, of somebody who knows the code and sends a public key of his choice. */
function forgeMessage1(publicKey: Uint8Array): Uint8Array {
  let h = sha256(utf8('Noise_NNpsk0_25519_ChaChaPoly_SHA256'));
  const mixHash = (data: Uint8Array) => {
    h = sha256(concatBytes(h, data));
  };
  const start = h;
  mixHash(prologue);
  const mixed = hkdf(sha256, psk, start, undefined, 96);
  mixHash(mixed.slice(32, 64));
  mixHash(publicKey);
  const key = hkdf(sha256, publicKey, mixed.slice(0, 32), undefined, 64).slice(32);
  return concatBytes(publicKey, chacha20poly1305(key, new Uint8Array(12), h).encrypt(new Uint8Array(0)));
}

describe('refusing a key of low order', () => {
  it('BLE-04 from an app that knows the code', () => {
    for (const publicKey of LOW_ORDER) {
      const responder = new NoiseResponder(options(2));
      expect(responder.readMessage1(forgeMessage1(publicKey))).toHaveLength(0);
      expect(() => responder.writeMessage2()).toThrow('LOW_ORDER_KEY');
    }
  });

  it('BLE-04 from a device', () => {
    for (const publicKey of LOW_ORDER) {
      const initiator = new NoiseInitiator(options(1));
      initiator.writeMessage1();
      expect(() => initiator.readMessage2(concatBytes(publicKey, new Uint8Array(16)))).toThrow(
        'LOW_ORDER_KEY',
      );
    }
  });
});

describe('BLE-06 an established session', () => {
  it.each([
    ['a flipped bit', (message: Uint8Array) => message.map((byte, at) => (at === 3 ? byte ^ 1 : byte))],
    ['a cut message', (message: Uint8Array) => message.slice(0, -1)],
    ['less than a tag', (message: Uint8Array) => message.slice(0, 3)],
  ])('is over after %s, also for what is authentic', (_, change) => {
    const { phone, device } = handshake();
    const [first, second] = [phone.send.encrypt(utf8('first')), phone.send.encrypt(utf8('second'))];
    expect(() => device.receive.decrypt(change(first))).toThrow('SESSION_BROKEN');
    expect(() => device.receive.decrypt(second)).toThrow('SESSION_BROKEN');
    expect(() => device.receive.decrypt(first)).toThrow('SESSION_BROKEN');
  });

  it('takes no message twice, none out of turn and none of its own', () => {
    const twice = handshake();
    const message = twice.phone.send.encrypt(utf8('once'));
    twice.device.receive.decrypt(message);
    expect(() => twice.device.receive.decrypt(message)).toThrow('SESSION_BROKEN');

    const skipped = handshake();
    skipped.phone.send.encrypt(utf8('lost'));
    expect(() => skipped.device.receive.decrypt(skipped.phone.send.encrypt(utf8('next')))).toThrow(
      'SESSION_BROKEN',
    );

    const reflected = handshake();
    expect(() => reflected.phone.receive.decrypt(reflected.phone.send.encrypt(utf8('echo')))).toThrow(
      'SESSION_BROKEN',
    );
  });

  it('sends nothing after it was destroyed', () => {
    const { phone } = handshake();
    phone.send.destroy();
    expect(() => phone.send.encrypt(utf8('late'))).toThrow('SESSION_BROKEN');
  });
});
