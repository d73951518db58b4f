import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { BleError } from './errors.ts';
import { toUtf8 } from './text.ts';

/*
 * Noise_NNpsk0_25519_ChaChaPoly_SHA256 (Noise revision 34), nothing more general:
 *     -> psk, e
 *     <- e, ee
 * Names follow the specification (h, ck, MixHash …) so that it can be read beside it.
 */

/** The Noise protocol name; 36 bytes, so h starts as its SHA-256. */
export const NOISE_PROTOCOL = 'Noise_NNpsk0_25519_ChaChaPoly_SHA256';

/** Bytes of a ChaCha20-Poly1305 tag, by which a sealed message is longer than its content. */
export const TAG_BYTES = 16;

const KEY_BYTES = 32;

/** Source of cryptographically strong random bytes. */
export type RandomBytes = (length: number) => Uint8Array;

export interface HandshakeOptions {
  /** 32 bytes, see `deriveSessionKey`. */
  readonly psk: Uint8Array;
  /** Bound to the handshake, never sent; see `sessionPrologue`. */
  readonly prologue: Uint8Array;
  /** Asked once, for the 32 bytes of the ephemeral key. */
  readonly random: RandomBytes;
}

/** One direction of an established session. After one failure it refuses everything, for good. */
export class CipherState {
  #key: Uint8Array | undefined;
  #n = 0;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Seals the next message. @throws {BleError} SESSION_BROKEN after a failure or `destroy` */
  encrypt(plaintext: Uint8Array, associatedData?: Uint8Array): Uint8Array {
    return this.#cipher(associatedData).encrypt(plaintext);
  }

  /** Opens the next message. @throws {BleError} SESSION_BROKEN when it is not the authentic next one */
  decrypt(ciphertext: Uint8Array, associatedData?: Uint8Array): Uint8Array {
    const cipher = this.#cipher(associatedData);
    try {
      return cipher.decrypt(ciphertext);
    } catch (cause) {
      this.destroy();
      throw new BleError(
        'SESSION_BROKEN',
        'a message was forged, repeated, lost or sealed with another key',
        {
          cause,
        },
      );
    }
  }

  /** Forgets the key. */
  destroy(): void {
    this.#key?.fill(0);
    this.#key = undefined;
  }

  #cipher(associatedData: Uint8Array | undefined) {
    // Far below Noise's own limit of 2^64 - 2; a Bluetooth session never comes near either.
    if (!this.#key || this.#n >= 0xffff_ffff) throw new BleError('SESSION_BROKEN', 'the session has ended');
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(4, this.#n, true);
    this.#n += 1;
    return chacha20poly1305(this.#key, nonce, associatedData);
  }
}

/** What both sides hold after the handshake. */
export interface Transport {
  readonly send: CipherState;
  readonly receive: CipherState;
  /** h: equal on both sides exactly when nobody stands between them. */
  readonly handshakeHash: Uint8Array;
}

class SymmetricState {
  h: Uint8Array = sha256(toUtf8(NOISE_PROTOCOL));
  #ck = this.h;
  #cipher: CipherState | undefined;

  mixHash(data: Uint8Array): void {
    this.h = sha256(concatBytes(this.h, data));
  }

  mixKey(material: Uint8Array): void {
    const [ck, key] = this.#derive(material, 2);
    this.#ck = ck;
    this.#cipher = new CipherState(key);
  }

  mixKeyAndHash(material: Uint8Array): void {
    const [ck, hash, key] = this.#derive(material, 3);
    this.#ck = ck;
    this.mixHash(hash);
    this.#cipher = new CipherState(key);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#keyed().encrypt(plaintext, this.h);
    this.mixHash(ciphertext);
    return ciphertext;
  }

  decryptAndHash(ciphertext: Uint8Array): Uint8Array {
    const plaintext = this.#keyed().decrypt(ciphertext, this.h);
    this.mixHash(ciphertext);
    return plaintext;
  }

  split(): [CipherState, CipherState] {
    const [initiator, responder] = this.#derive(new Uint8Array(0), 2);
    return [new CipherState(initiator), new CipherState(responder)];
  }

  // Noise's HKDF is RFC 5869 with the chaining key as salt and an empty info.
  #derive(material: Uint8Array, outputs: 2 | 3): [Uint8Array, Uint8Array, Uint8Array] {
    const okm = hkdf(sha256, material, this.#ck, undefined, outputs * KEY_BYTES);
    const output = (index: number) => okm.slice(index * KEY_BYTES, (index + 1) * KEY_BYTES);
    return [output(0), output(1), output(2)];
  }

  #keyed(): CipherState {
    if (!this.#cipher) throw new Error('the psk token comes before any payload');
    return this.#cipher;
  }
}

/** The app's side: `writeMessage1`, then `readMessage2`. */
export class NoiseInitiator {
  readonly #state: SymmetricState;
  readonly #secret: Uint8Array;
  readonly #public: Uint8Array;

  constructor(options: HandshakeOptions) {
    [this.#state, this.#secret, this.#public] = begin(options);
  }

  /** `e` and the sealed payload: 48 bytes for an empty one. */
  writeMessage1(payload: Uint8Array = new Uint8Array(0)): Uint8Array {
    mixEphemeral(this.#state, this.#public);
    return concatBytes(this.#public, this.#state.encryptAndHash(payload));
  }

  /** @throws {BleError} HANDSHAKE_FAILED, LOW_ORDER_KEY */
  readMessage2(message: Uint8Array): { payload: Uint8Array; transport: Transport } {
    const [remote, sealed] = readEphemeral(this.#state, message);
    this.#state.mixKey(sharedSecret(this.#secret, remote));
    const payload = open(this.#state, sealed);
    const [send, receive] = this.#state.split();
    this.#secret.fill(0);
    return { payload, transport: { send, receive, handshakeHash: this.#state.h } };
  }
}

/** The device's side: `readMessage1` fails at once on a wrong key; then `writeMessage2`. */
export class NoiseResponder {
  readonly #state: SymmetricState;
  readonly #secret: Uint8Array;
  readonly #public: Uint8Array;
  #remote: Uint8Array | undefined;

  constructor(options: HandshakeOptions) {
    [this.#state, this.#secret, this.#public] = begin(options);
  }

  /** @throws {BleError} HANDSHAKE_FAILED when the psk or the prologue differ or the bytes were changed */
  readMessage1(message: Uint8Array): Uint8Array {
    const [remote, sealed] = readEphemeral(this.#state, message);
    this.#remote = remote;
    return open(this.#state, sealed);
  }

  /** @throws {BleError} LOW_ORDER_KEY */
  writeMessage2(payload: Uint8Array = new Uint8Array(0)): { message: Uint8Array; transport: Transport } {
    if (!this.#remote) throw new Error('message 1 is read before message 2 is written');
    mixEphemeral(this.#state, this.#public);
    this.#state.mixKey(sharedSecret(this.#secret, this.#remote));
    const message = concatBytes(this.#public, this.#state.encryptAndHash(payload));
    const [receive, send] = this.#state.split();
    this.#secret.fill(0);
    return { message, transport: { send, receive, handshakeHash: this.#state.h } };
  }
}

function begin(options: HandshakeOptions): [SymmetricState, Uint8Array, Uint8Array] {
  if (options.psk.length !== KEY_BYTES) throw new RangeError(`the psk has ${KEY_BYTES} bytes`);
  const secret = Uint8Array.from(options.random(KEY_BYTES));
  const state = new SymmetricState();
  state.mixHash(options.prologue);
  state.mixKeyAndHash(options.psk);
  return [state, secret, x25519.getPublicKey(secret)];
}

// With a psk modifier, the token e mixes the public key into the key as well as into the hash.
function mixEphemeral(state: SymmetricState, publicKey: Uint8Array): void {
  state.mixHash(publicKey);
  state.mixKey(publicKey);
}

function readEphemeral(state: SymmetricState, message: Uint8Array): [Uint8Array, Uint8Array] {
  if (message.length < KEY_BYTES + TAG_BYTES) {
    throw new BleError(
      'HANDSHAKE_FAILED',
      `a handshake message has at least ${KEY_BYTES + TAG_BYTES} bytes, not ${message.length}`,
    );
  }
  const remote = message.slice(0, KEY_BYTES);
  mixEphemeral(state, remote);
  return [remote, message.subarray(KEY_BYTES)];
}

function open(state: SymmetricState, sealed: Uint8Array): Uint8Array {
  try {
    return state.decryptAndHash(sealed);
  } catch (cause) {
    throw new BleError(
      'HANDSHAKE_FAILED',
      'the two sides hold different setup codes, or a byte was changed',
      {
        cause,
      },
    );
  }
}

function sharedSecret(secret: Uint8Array, remote: Uint8Array): Uint8Array {
  try {
    return x25519.getSharedSecret(secret, remote);
  } catch (cause) {
    // The library refuses points of low order, whose product is zero whatever the secret is.
    throw new BleError('LOW_ORDER_KEY', 'the other side sent a key that gives no secret', { cause });
  }
}
