import { fromUtf8, toUtf8 } from './text.ts';

/*
 * A radio made of a byte stream, for a phone and a device that are two processes on one machine. Each record is
 * one byte of kind, two bytes of length (big-endian) and the content. The central opens the stream and says
 * `connect`; the peripheral answers `connected`, or `disconnect` where a real one would not be advertising.
 */
export type SimulatedRecord =
  /** Central → peripheral: asks for a connection whose writes and notifications carry `mtuPayload` bytes. */
  | { readonly kind: 'connect'; readonly mtuPayload: number }
  /** Peripheral → central. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'read-info' }
  | { readonly kind: 'info-value'; readonly value: Uint8Array }
  | { readonly kind: 'write'; readonly chunk: Uint8Array }
  | { readonly kind: 'notify'; readonly chunk: Uint8Array }
  /** Either way; `reason` is for logs (a real link has none). */
  | { readonly kind: 'disconnect'; readonly reason: string };

/** Most bytes of content: an attribute value of Bluetooth has at most 512. */
const MAX_RECORD_BYTES = 512;

const KINDS = ['connect', 'connected', 'read-info', 'info-value', 'write', 'notify', 'disconnect'] as const;
const HEADER_BYTES = 3;

/** Bytes of one record. @throws {RangeError} when the content is too long */
export function encodeRecord(record: SimulatedRecord): Uint8Array {
  const content = contentOf(record);
  if (content.length > MAX_RECORD_BYTES) {
    throw new RangeError(`a record carries at most ${MAX_RECORD_BYTES} bytes, not ${content.length}`);
  }
  const bytes = new Uint8Array(HEADER_BYTES + content.length);
  bytes[0] = KINDS.indexOf(record.kind) + 1;
  new DataView(bytes.buffer).setUint16(1, content.length);
  bytes.set(content, HEADER_BYTES);
  return bytes;
}

/** Finds the records in a stream, however it is cut. After an error the stream cannot be read any further. */
export class RecordDecoder {
  #buffer = new Uint8Array(0);

  /** Takes the next bytes; returns the records that they complete. @throws {RangeError} on a byte of nonsense */
  push(bytes: Uint8Array): SimulatedRecord[] {
    const buffer = new Uint8Array(this.#buffer.length + bytes.length);
    buffer.set(this.#buffer);
    buffer.set(bytes, this.#buffer.length);
    const view = new DataView(buffer.buffer);
    const records: SimulatedRecord[] = [];
    let at = 0;
    while (buffer.length - at >= HEADER_BYTES) {
      const length = view.getUint16(at + 1);
      if (length > MAX_RECORD_BYTES) throw new RangeError(`a record of ${length} bytes is too long`);
      const end = at + HEADER_BYTES + length;
      if (buffer.length < end) break;
      records.push(recordOf(view.getUint8(at), buffer.slice(at + HEADER_BYTES, end)));
      at = end;
    }
    this.#buffer = buffer.slice(at);
    return records;
  }
}

function contentOf(record: SimulatedRecord): Uint8Array {
  switch (record.kind) {
    case 'connect': {
      const content = new Uint8Array(2);
      new DataView(content.buffer).setUint16(0, record.mtuPayload);
      return content;
    }
    case 'connected':
    case 'read-info':
      return new Uint8Array(0);
    case 'info-value':
      return record.value;
    case 'write':
    case 'notify':
      return record.chunk;
    case 'disconnect':
      return toUtf8(record.reason);
  }
}

function recordOf(kindByte: number, content: Uint8Array): SimulatedRecord {
  const kind = KINDS[kindByte - 1];
  switch (kind) {
    case 'connect': {
      if (content.length !== 2) throw new RangeError('a connect record carries two bytes');
      return { kind, mtuPayload: new DataView(content.buffer).getUint16(0) };
    }
    case 'connected':
    case 'read-info':
      return { kind };
    case 'info-value':
      return { kind, value: content };
    case 'write':
    case 'notify':
      return { kind, chunk: content };
    case 'disconnect':
      return { kind, reason: fromUtf8(content) };
    default:
      throw new RangeError(`no record has the kind ${kindByte}`);
  }
}
