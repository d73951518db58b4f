import { BleError } from './errors.ts';
import { MAX_MESSAGE_BYTES } from './gatt.ts';

/** Length of the header before each message: an unsigned 16-bit big-endian count of the bytes that follow. */
const FRAME_HEADER_BYTES = 2;

/** What a decoder found in the stream: a message, or a frame that it skipped. */
export type FrameResult =
  | { readonly ok: true; readonly message: Uint8Array }
  | { readonly ok: false; readonly error: BleError };

/**
 * Frames one message and cuts it into writes or notifications of at most `mtuPayload` bytes (ATT MTU - 3).
 *
 * @throws {BleError} FRAME_EMPTY, FRAME_TOO_LARGE
 */
export function encodeFrame(message: Uint8Array, mtuPayload: number): Uint8Array[] {
  if (!Number.isInteger(mtuPayload) || mtuPayload < 1) {
    throw new RangeError(`mtuPayload must be a positive integer, not ${mtuPayload}`);
  }
  const problem = lengthProblem(message.length);
  if (problem) throw problem;
  const frame = new Uint8Array(FRAME_HEADER_BYTES + message.length);
  new DataView(frame.buffer).setUint16(0, message.length);
  frame.set(message, FRAME_HEADER_BYTES);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < frame.length; at += mtuPayload) chunks.push(frame.slice(at, at + mtuPayload));
  return chunks;
}

/**
 * Finds the messages in a stream of chunks, however they are cut.
 *
 * A frame of no bytes or of too many is reported once and skipped by its own length, without being kept,
 * so the frame after it is read as if nothing had happened. Never holds more than one message of 4 KiB.
 */
export class FrameDecoder {
  #header = 0;
  #headerBytes = 0;
  #message: Uint8Array | undefined;
  #filled = 0;
  #skip = 0;

  /** Takes the next chunk; returns what it completes, in order. */
  push(chunk: Uint8Array): FrameResult[] {
    const results: FrameResult[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
      } else if (this.#message) {
        at += this.#fill(this.#message, chunk.subarray(at), results);
      } else {
        this.#readHeaderByte(chunk[at] ?? 0, results);
        at += 1;
      }
    }
    return results;
  }

  #readHeaderByte(byte: number, results: FrameResult[]): void {
    this.#header = this.#header * 256 + byte;
    this.#headerBytes += 1;
    if (this.#headerBytes < FRAME_HEADER_BYTES) return;
    const length = this.#header;
    this.#header = 0;
    this.#headerBytes = 0;
    const error = lengthProblem(length);
    if (error) {
      this.#skip = length;
      results.push({ ok: false, error });
    } else {
      this.#message = new Uint8Array(length);
      this.#filled = 0;
    }
  }

  #fill(message: Uint8Array, rest: Uint8Array, results: FrameResult[]): number {
    const part = rest.subarray(0, message.length - this.#filled);
    message.set(part, this.#filled);
    this.#filled += part.length;
    if (this.#filled === message.length) {
      this.#message = undefined;
      results.push({ ok: true, message });
    }
    return part.length;
  }
}

function lengthProblem(length: number): BleError | undefined {
  if (length === 0) return new BleError('FRAME_EMPTY', 'a frame must carry at least one byte');
  if (length > MAX_MESSAGE_BYTES) {
    return new BleError(
      'FRAME_TOO_LARGE',
      `a frame carries at most ${MAX_MESSAGE_BYTES} bytes, not ${length}`,
    );
  }
  return undefined;
}
