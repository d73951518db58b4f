import {
  type BleLink,
  type BleRequest,
  type BleResponse,
  DeviceSession,
  type DeviceSessionPorts,
  deriveSessionKey,
  encodeFrame,
  encodeInfo,
  FrameDecoder,
  NoiseInitiator,
  sessionPrologue,
} from '../../src/ble/index.ts';
import type { Transport } from '../../src/ble/noise.ts';

export const UUID = '0f9d7c1e-3a52-4b8e-9c64-5d1f2e3a4b5c';
export const SETUP_CODE = Uint8Array.from({ length: 16 }, (_, at) => at * 17);
export const IDENTITY_HASH = 'ab'.repeat(32);

/** Small seeded generator (mulberry32); the seed in a failing test's name reproduces it. */
export function seededRandom(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    below: (limit: number) => Math.floor(next() * limit),
    bytes: (length: number) => Uint8Array.from({ length }, () => Math.floor(next() * 256)),
  };
}

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
export const unhex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
export const utf8 = (text: string) => Uint8Array.from(Buffer.from(text));

/** Lets everything that is only waiting for other promises happen. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Answers as a claimable device does. */
export async function answerAll(request: BleRequest): Promise<BleResponse> {
  switch (request.type) {
    case 'identity':
      return {
        type: 'identity',
        cpuSerial: '10000000a1b2c3d4',
        deviceUuid: UUID,
        identityKeyHash: IDENTITY_HASH,
        hardwareVersion: '4B',
        hardwareVariant: 'standard',
      };
    case 'wifi-scan':
      return { type: 'wifi-scan', networks: [{ ssid: 'Greenhouse', signalDbm: -52, security: 'wpa' }] };
    case 'status':
      return { type: 'status', state: 'claimable', steps: [] };
    default:
      return { type: request.type };
  }
}

/** A device in this process, with all that crosses the air recorded. */
export class FakeDevice {
  readonly session: DeviceSession;
  readonly written: Uint8Array[] = [];
  readonly notified: Uint8Array[] = [];
  readonly handled: BleRequest[] = [];
  readonly closed: string[] = [];
  confirmations = 0;
  notify: (chunk: Uint8Array) => void = () => {};
  disconnected: () => void = () => {};

  constructor(options: Partial<DeviceSessionPorts> & { seed?: number } = {}) {
    this.session = new DeviceSession({
      uuid: UUID,
      setupCode: SETUP_CODE,
      random: seededRandom(options.seed ?? 1).bytes,
      state: () => 'claimable',
      mtuPayload: 20,
      ...options,
      handle: (request) => {
        this.handled.push(request);
        return (options.handle ?? answerAll)(request);
      },
      send: (chunk) => {
        this.notified.push(chunk);
        this.notify(chunk);
      },
      onConfirmed: () => {
        this.confirmations += 1;
      },
      onClosed: (reason) => {
        this.closed.push(reason);
        this.disconnected();
      },
    });
  }

  /** Bytes so far from the device, in one piece. */
  get sent(): Uint8Array {
    return Uint8Array.from(this.notified.flatMap((chunk) => [...chunk]));
  }

  /** A link of a phone to this device. */
  link(mtuPayload = 20): BleLink & { disconnects: number } {
    const link = {
      mtuPayload,
      disconnects: 0,
      readInfo: async () => encodeInfo({ uuid: UUID, state: 'claimable' }),
      write: async (chunk: Uint8Array) => {
        this.written.push(chunk);
        this.session.receive(chunk);
      },
      onNotify: (listener: (chunk: Uint8Array) => void) => {
        this.notify = listener;
      },
      onDisconnect: (listener: () => void) => {
        this.disconnected = listener;
      },
      disconnect: () => {
        link.disconnects += 1;
        this.session.close('LINK_LOST');
      },
    };
    return link;
  }
}

/** A phone without manners: speaks the session by hand, so that a test can send what the client never would. */
export class RawPhone {
  readonly device: FakeDevice;
  #transport: Transport | undefined;
  #nonceOfDevice = 0;

  constructor(device: FakeDevice) {
    this.device = device;
  }

  /** Messages of the device so far, still sealed. */
  get received(): Uint8Array[] {
    return new FrameDecoder().push(this.device.sent).flatMap((frame) => (frame.ok ? [frame.message] : []));
  }

  async shakeHands(
    change: { setupCode?: Uint8Array; uuid?: string; payload?: Uint8Array } = {},
  ): Promise<void> {
    const initiator = new NoiseInitiator({
      psk: deriveSessionKey(change.setupCode ?? SETUP_CODE),
      prologue: sessionPrologue(change.uuid ?? UUID),
      random: seededRandom(99).bytes,
    });
    await this.sendFrame(initiator.writeMessage1(change.payload));
    const answer = this.received[0];
    if (answer && answer.length > 1) {
      this.#transport = initiator.readMessage2(answer).transport;
      this.#nonceOfDevice = 1;
    }
  }

  /** Writes raw bytes, in chunks of 20. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += 20) this.device.session.receive(bytes.slice(at, at + 20));
    await settle();
  }

  async sendFrame(message: Uint8Array): Promise<void> {
    for (const chunk of encodeFrame(message, 20)) this.device.session.receive(chunk);
    await settle();
  }

  seal(plaintext: Uint8Array): Uint8Array {
    if (!this.#transport) throw new Error('no session');
    return this.#transport.send.encrypt(plaintext);
  }

  /** Seals and sends; returns the answers that came since the last call. */
  async ask(request: unknown): Promise<Answer[]> {
    const bytes = request instanceof Uint8Array ? request : utf8(JSON.stringify(request));
    await this.sendFrame(this.seal(bytes));
    return this.answers();
  }

  /** Opens the answers that came since the last call. */
  answers(): Answer[] {
    const fresh = this.received.slice(this.#nonceOfDevice);
    this.#nonceOfDevice += fresh.length;
    return fresh.map((sealed) => {
      if (!this.#transport) throw new Error('no session');
      return JSON.parse(Buffer.from(this.#transport.receive.decrypt(sealed)).toString()) as Answer;
    });
  }
}

export interface Answer {
  readonly id: number;
  readonly type: string;
  readonly code?: string;
  readonly detail?: string;
}
