import {
  type BleErrorResponse,
  type BleRequest,
  type BleResponse,
  isRequestAllowed,
  MAX_DETAIL_LENGTH,
} from './conversation.ts';
import type { BleDeviceState } from './device-states.ts';
import { BleError, isDeviceErrorCode, type LocalErrorCode } from './errors.ts';
import { encodeFrame, FrameDecoder } from './frames.ts';
import { HANDSHAKE_BAD_FRAME, HANDSHAKE_REFUSED } from './gatt.ts';
import { encodeResponse, parseRequest } from './messages.ts';
import { NoiseResponder, type RandomBytes, type Transport } from './noise.ts';
import { deriveSessionKey, sessionPrologue } from './setup-code.ts';

/** Why a session ended; a subset of `BleErrorCode`. */
export type SessionCloseReason = Extract<
  LocalErrorCode,
  'SETUP_CODE_REFUSED' | 'LOW_ORDER_KEY' | 'SESSION_BROKEN' | 'LINK_LOST' | 'CLOSED'
>;

export interface DeviceSessionPorts {
  /** Device UUID, lower case. */
  readonly uuid: string;
  /** The 16 bytes of the setup code. */
  readonly setupCode: Uint8Array;
  readonly random: RandomBytes;
  /** The device's state now; decides which requests reach `handle`. */
  state(): BleDeviceState;
  /**
   * Carries out a request that is authentic, well formed and allowed. Answers with a body of the same `type`.
   * A `BleError` with a device code becomes that error response, anything else becomes INTERNAL.
   * Long work only begins here: `provision` answers at once and `status` tells the rest.
   */
  handle(request: BleRequest): Promise<BleResponse>;
  /** Sends one notification. */
  send(chunk: Uint8Array): void | Promise<void>;
  /** Bytes that one notification carries; read again for each message. */
  readonly mtuPayload: number;
  /** The app has proved that it knows the setup code, now and not in a recording. */
  onConfirmed?(): void;
  /** What was hidden from the app behind INTERNAL; for the log. */
  onInternalError?(error: unknown): void;
  /** Called once, after a refusal has gone out; disconnect then. */
  onClosed?(reason: SessionCloseReason): void;
}

/**
 * The device's half of one connection. Make one per connection: its ephemeral key is what makes a recording
 * worthless (threat BLE-06).
 *
 * Nothing reaches `handle` but what was sealed under the key of this very handshake. One request at a time; a
 * second one meanwhile is answered BUSY. A request that is nonsense is answered and the session goes on; a
 * message that is not authentic ends it.
 */
export class DeviceSession {
  readonly #ports: DeviceSessionPorts;
  readonly #frames = new FrameDecoder();
  #responder: NoiseResponder | undefined;
  #transport: Transport | undefined;
  #confirmed = false;
  #closed = false;
  #reported = false;
  #failure: SessionCloseReason | undefined;
  #busy = false;
  #complained = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(ports: DeviceSessionPorts) {
    this.#ports = ports;
    this.#responder = new NoiseResponder({
      psk: deriveSessionKey(ports.setupCode),
      prologue: sessionPrologue(ports.uuid),
      random: ports.random,
    });
  }

  /** Whether the app has proved that it knows the setup code. */
  get confirmed(): boolean {
    return this.#confirmed;
  }

  /** Takes one write of the app, cut anyhow. Never throws. */
  receive(chunk: Uint8Array): void {
    for (const frame of this.#frames.push(chunk)) {
      if (this.#closed) return;
      if (frame.ok) this.#take(frame.message);
      else this.#complain(frame.error);
    }
  }

  /** Ends the session at once, e.g. because the link is gone or a window has closed. */
  close(reason: SessionCloseReason = 'CLOSED'): void {
    this.#stop();
    this.#report(reason);
  }

  // What has been queued, such as a refusal, still goes out. An app that hangs up before that changes nothing
  // about the reason: failures are counted by it.
  #fail(reason: SessionCloseReason): void {
    this.#stop();
    this.#failure = reason;
    void this.#sending.then(() => this.#report(reason));
  }

  #stop(): void {
    this.#closed = true;
    this.#responder = undefined;
    this.#transport?.send.destroy();
    this.#transport?.receive.destroy();
  }

  #report(reason: SessionCloseReason): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#ports.onClosed?.(this.#failure ?? reason);
  }

  #take(message: Uint8Array): void {
    try {
      if (this.#transport) this.#takeSealed(this.#transport.receive.decrypt(message));
      else this.#shakeHands(message);
    } catch (error) {
      if (!this.#transport) this.#transmit(Uint8Array.of(HANDSHAKE_REFUSED));
      const code = error instanceof BleError ? error.code : 'SESSION_BROKEN';
      if (code === 'LOW_ORDER_KEY') this.#fail(code);
      else this.#fail(code === 'HANDSHAKE_FAILED' ? 'SETUP_CODE_REFUSED' : 'SESSION_BROKEN');
    }
  }

  #shakeHands(message: Uint8Array): void {
    const responder = this.#responder;
    if (!responder) return;
    this.#responder = undefined;
    if (responder.readMessage1(message).length > 0) {
      throw new BleError('HANDSHAKE_FAILED', 'the first message carries nothing: it could be a recording');
    }
    const answer = responder.writeMessage2();
    this.#transmit(answer.message);
    this.#transport = answer.transport;
  }

  #takeSealed(plaintext: Uint8Array): void {
    if (!this.#confirmed) {
      this.#confirmed = true;
      this.#ports.onConfirmed?.();
    }
    const parsed = parseRequest(plaintext);
    if (!parsed.ok) {
      this.#refuse(parsed.id, parsed.code, parsed.detail);
    } else if (this.#busy) {
      this.#refuse(parsed.id, 'BUSY', 'wait for the answer to the request before');
    } else {
      this.#busy = true;
      void this.#handle(parsed.id, parsed.request);
    }
  }

  async #handle(id: number, request: BleRequest): Promise<void> {
    try {
      const state = this.#ports.state();
      if (!isRequestAllowed(state, request.type)) {
        throw new BleError(
          'NOT_ALLOWED_IN_STATE',
          `a device that is ${state} does not answer ${request.type}`,
        );
      }
      const response = await this.#ports.handle(request);
      if (response.type !== request.type) throw new Error(`${response.type} does not answer ${request.type}`);
      this.#busy = false;
      this.#answer(id, response);
    } catch (error) {
      this.#busy = false;
      if (error instanceof BleError && isDeviceErrorCode(error.code)) {
        this.#refuse(id, error.code, error.detail);
      } else {
        this.#ports.onInternalError?.(error);
        this.#refuse(id, 'INTERNAL', 'the device could not carry this out; its log says why');
      }
    }
  }

  #complain(error: BleError): void {
    if (this.#confirmed) {
      if (isDeviceErrorCode(error.code)) this.#refuse(0, error.code, error.detail);
    } else if (!this.#transport && !this.#complained) {
      // Once: otherwise two bytes of anybody would cost the device a notification each.
      this.#complained = true;
      this.#transmit(Uint8Array.of(HANDSHAKE_BAD_FRAME));
    }
  }

  #refuse(id: number, code: BleErrorResponse['code'], detail: string): void {
    this.#answer(id, { type: 'error', code, detail: detail.slice(0, MAX_DETAIL_LENGTH) });
  }

  #answer(id: number, response: BleResponse | BleErrorResponse): void {
    if (this.#closed || !this.#transport) return;
    // Sealed here and queued in the same step, so that nonces leave in their order.
    this.#transmit(this.#transport.send.encrypt(encodeResponse(id, response)));
  }

  #transmit(message: Uint8Array): void {
    const chunks = encodeFrame(message, this.#ports.mtuPayload);
    this.#sending = this.#sending.then(async () => {
      try {
        for (const chunk of chunks) {
          if (this.#reported) return;
          await this.#ports.send(chunk);
        }
      } catch {
        this.close('LINK_LOST');
      }
    });
  }
}
