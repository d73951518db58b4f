import type {
  BleErrorResponse,
  BleRequest,
  BleRequestOf,
  BleRequestType,
  BleResponse,
  BleResponseOf,
} from './conversation.ts';
import { BleError } from './errors.ts';
import { encodeFrame, FrameDecoder } from './frames.ts';
import { type DeviceInfo, decodeInfo, HANDSHAKE_BAD_FRAME } from './gatt.ts';
import { encodeRequest, parseResponse } from './messages.ts';
import { NoiseInitiator, type RandomBytes, type Transport } from './noise.ts';
import { deriveSessionKey, parseSetupCode, sessionPrologue } from './setup-code.ts';

/** A connected GATT client that has subscribed to `response`: Web Bluetooth, a React Native library, a socket. */
export interface BleLink {
  /** Reads the `info` characteristic. */
  readInfo(): Promise<Uint8Array>;
  /** Writes, with response, at most `mtuPayload` bytes to `request`. */
  write(chunk: Uint8Array): Promise<void>;
  /** Sets the one listener for notifications of `response`. */
  onNotify(listener: (chunk: Uint8Array) => void): void;
  /** Sets the one listener for the end of the connection. */
  onDisconnect(listener: () => void): void;
  /** ATT MTU - 3; 20 where the platform does not tell. */
  readonly mtuPayload: number;
  disconnect(): void | Promise<void>;
}

export interface ConnectOptions {
  readonly link: BleLink;
  /** As typed or scanned, or its 16 bytes. */
  readonly setupCode: string | Uint8Array;
  readonly random: RandomBytes;
  /** From the QR code: refuses another device before anything is sent. */
  readonly expectedUuid?: string;
  /** Ends the attempt; afterwards it has no effect. */
  readonly signal?: AbortSignal;
}

export interface RequestOptions {
  /** Gives up waiting; the session stays and a late answer is dropped. */
  readonly signal?: AbortSignal;
}

/** A session with a device that knows the same setup code. Each call throws `BleError`. */
export interface DeviceConnection {
  readonly info: DeviceInfo;
  identity(options?: RequestOptions): Promise<BleResponseOf<'identity'>>;
  wifiScan(options?: RequestOptions): Promise<BleResponseOf<'wifi-scan'>>;
  /** Resolves when the device has begun; ask `status` until `first-reading` is ok or a step failed. */
  provision(body: Body<'provision'>, options?: RequestOptions): Promise<BleResponseOf<'provision'>>;
  status(options?: RequestOptions): Promise<BleResponseOf<'status'>>;
  recover(body: Body<'recover'>, options?: RequestOptions): Promise<BleResponseOf<'recover'>>;
  wifiChange(body: Body<'wifi-change'>, options?: RequestOptions): Promise<BleResponseOf<'wifi-change'>>;
  close(): Promise<void>;
}

type Body<T extends BleRequestType> = Omit<BleRequestOf<T>, 'type'>;

/**
 * Opens a session.
 *
 * @throws {BleError} SETUP_CODE_LENGTH, SETUP_CODE_CHARACTER, SETUP_CODE_MISTYPED (nothing was sent);
 * UNSUPPORTED_VERSION, INFO_MALFORMED, DEVICE_UNEXPECTED; SETUP_CODE_REFUSED; HANDSHAKE_FAILED (somebody answered
 * who does not know the code); LOW_ORDER_KEY; LINK_LOST; ABORTED. The link is disconnected then.
 */
export async function connectDevice(options: ConnectOptions): Promise<DeviceConnection> {
  const { link, signal } = options;
  try {
    const code =
      typeof options.setupCode === 'string' ? parseSetupCode(options.setupCode) : options.setupCode;
    const session = new ClientSession(link);
    const info = decodeInfo(await session.orEnd(link.readInfo(), signal));
    if (options.expectedUuid !== undefined && options.expectedUuid !== info.uuid) {
      throw new BleError('DEVICE_UNEXPECTED', `this is device ${info.uuid}, not ${options.expectedUuid}`);
    }
    const initiator = new NoiseInitiator({
      psk: deriveSessionKey(code),
      prologue: sessionPrologue(info.uuid),
      random: options.random,
    });
    await session.orEnd(session.shakeHands(initiator), signal);
    return connection(info, session);
  } catch (error) {
    await hangUp(link);
    if (error instanceof BleError || error instanceof RangeError) throw error;
    throw new BleError('LINK_LOST', 'the device could not be read', { cause: error });
  }
}

function connection(info: DeviceInfo, session: ClientSession): DeviceConnection {
  return {
    info,
    identity: (options) => session.request({ type: 'identity' }, options),
    wifiScan: (options) => session.request({ type: 'wifi-scan' }, options),
    provision: (body, options) => session.request({ ...body, type: 'provision' }, options),
    status: (options) => session.request({ type: 'status' }, options),
    recover: (body, options) => session.request({ ...body, type: 'recover' }, options),
    wifiChange: (body, options) => session.request({ ...body, type: 'wifi-change' }, options),
    close: () => session.close(),
  };
}

interface Waiter {
  readonly id: number;
  resolve(response: BleResponse | BleErrorResponse): void;
  reject(error: unknown): void;
}

class ClientSession {
  readonly #link: BleLink;
  readonly #frames = new FrameDecoder();
  readonly #ended: Promise<never>;
  #end: (error: BleError) => void = () => {};
  #failure: BleError | undefined;
  #takeMessage2: ((message: Uint8Array) => void) | undefined;
  #transport: Transport | undefined;
  #waiter: Waiter | undefined;
  #nextId = 1;
  #turn: Promise<unknown> = Promise.resolve();
  #writing: Promise<void> = Promise.resolve();

  constructor(link: BleLink) {
    this.#link = link;
    this.#ended = new Promise((_, reject) => {
      this.#end = (error) => {
        this.#failure ??= error;
        this.#transport?.send.destroy();
        this.#transport?.receive.destroy();
        reject(this.#failure);
      };
    });
    this.#ended.catch(() => {});
    link.onDisconnect(() => this.#end(new BleError('LINK_LOST', 'the Bluetooth connection was lost')));
    link.onNotify((chunk) => this.#receive(chunk));
  }

  /** Waits, but no longer than the session lives or the signal allows. */
  async orEnd<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
    let stop = () => {};
    const aborted = new Promise<never>((_, reject) => {
      const give = () => reject(gaveUp(signal));
      if (signal?.aborted) give();
      signal?.addEventListener('abort', give);
      stop = () => signal?.removeEventListener('abort', give);
    });
    work.catch(() => {});
    aborted.catch(() => {});
    try {
      return await Promise.race([aborted, this.#ended, work]);
    } finally {
      stop();
    }
  }

  async shakeHands(initiator: NoiseInitiator): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.#takeMessage2 = (message) => {
        if (message.length === 1) throw refusal(message[0]);
        this.#transport = initiator.readMessage2(message).transport;
        resolve();
      };
    });
    await this.#write(initiator.writeMessage1());
    await done;
  }

  /** Requests go one after another, in the order of the calls. */
  request<T extends BleRequestType>(
    request: BleRequestOf<T> & { type: T },
    options: RequestOptions = {},
  ): Promise<BleResponseOf<T>> {
    const answer = this.#turn.then(() => this.#ask(request as BleRequest, options.signal));
    this.#turn = answer.catch(() => {});
    return this.orEnd(answer, options.signal) as Promise<BleResponseOf<T>>;
  }

  async close(): Promise<void> {
    this.#end(new BleError('CLOSED', 'this app has closed the session'));
    await hangUp(this.#link);
  }

  async #ask(request: BleRequest, signal: AbortSignal | undefined): Promise<BleResponse> {
    if (this.#failure) throw this.#failure;
    if (!this.#transport) throw new BleError('CLOSED', 'there is no session');
    if (signal?.aborted) throw gaveUp(signal);
    const id = this.#nextId++;
    const plaintext = encodeRequest(id, request);
    const answer = new Promise<BleResponse | BleErrorResponse>((resolve, reject) => {
      this.#waiter = { id, resolve, reject };
    });
    try {
      const sent = this.#write(this.#transport.send.encrypt(plaintext));
      const response = await this.orEnd(
        Promise.all([answer, sent]).then(([first]) => first),
        signal,
      );
      if (response.type === 'error') throw new BleError(response.code, response.detail);
      if (response.type !== request.type) {
        throw new BleError('RESPONSE_MALFORMED', `the device answered ${request.type} with ${response.type}`);
      }
      return response;
    } finally {
      this.#waiter = undefined;
    }
  }

  // One message after another, also when the caller of the one before has given up waiting.
  #write(message: Uint8Array): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      if (this.#failure) throw this.#failure;
      try {
        for (const chunk of encodeFrame(message, this.#link.mtuPayload)) await this.#link.write(chunk);
      } catch (cause) {
        this.#end(new BleError('LINK_LOST', 'writing to the device failed', { cause }));
        throw cause;
      }
    });
    this.#writing.catch(() => {});
    return this.#writing;
  }

  #receive(chunk: Uint8Array): void {
    if (this.#failure) return;
    try {
      for (const frame of this.#frames.push(chunk)) {
        if (!frame.ok) throw frame.error;
        if (this.#transport) this.#takeSealed(this.#transport.receive.decrypt(frame.message));
        else this.#takeMessage2?.(frame.message);
      }
    } catch (error) {
      this.#end(error instanceof BleError ? error : new BleError('SESSION_BROKEN', String(error)));
      // Before that, `connectDevice` hangs up.
      if (this.#transport) void hangUp(this.#link);
    }
  }

  #takeSealed(plaintext: Uint8Array): void {
    try {
      const { id, response } = parseResponse(plaintext);
      // An id that nobody waits for is the late answer to a request that was given up.
      if (this.#waiter && (id === this.#waiter.id || id === 0)) this.#waiter.resolve(response);
    } catch (error) {
      this.#waiter?.reject(error);
    }
  }
}

async function hangUp(link: BleLink): Promise<void> {
  try {
    await link.disconnect();
  } catch {
    // It is gone already, which is what was asked for.
  }
}

function gaveUp(signal: AbortSignal | undefined): BleError {
  return new BleError('ABORTED', 'gave up waiting for the device', { cause: signal?.reason });
}

function refusal(status: number | undefined): BleError {
  return status === HANDSHAKE_BAD_FRAME
    ? new BleError('HANDSHAKE_FAILED', 'the device could not read the first message; connect again')
    : new BleError(
        'SETUP_CODE_REFUSED',
        'this setup code does not belong to this device; compare it with the label',
      );
}
