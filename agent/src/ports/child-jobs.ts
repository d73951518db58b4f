import type { CredentialsAnswer, DeviceComponents, Grant } from '@ares/protocol/http/device';
import type { CloudApiErrorCode, CloudApiErrorDetails } from './cloud-api.ts';

/** Where a job finds the cloud, and whom it believes there. */
export interface CloudEndpoint {
  readonly apiUrl: string;
  /** PEM; nothing else is trusted. */
  readonly caCertificates: readonly string[];
  /** The device's certificate, where the call needs one. */
  readonly client?: { readonly certificateChain: string; readonly privateKeyPem: string } | undefined;
  /** Epoch ms by the cloud's signed word, for the dates of certificates, where the system's clock is not set. */
  readonly knownTime?: number | undefined;
}

/** A device that signs with its identity key. */
interface SigningDevice {
  readonly deviceUuid: string;
  readonly identityKeyPem: string;
}

/** Jobs that run once in a child of their own: what goes in and what comes out. */
export interface JobTable {
  /** A PKCS#10 request (base64url DER) for a key. */
  csr: { input: { privateKeyPem: string; deviceUuid: string }; output: { csr: string } };
  /** Resolves the cloud's name and completes a TLS handshake. */
  reach: { input: { endpoint: CloudEndpoint }; output: Record<string, never> };
  credentials: {
    input: SigningDevice & {
      endpoint: CloudEndpoint;
      grant: Grant;
      cpuSerial: string;
      csr: string;
      claim?: { readonly claimId: string; readonly nonce: string } | undefined;
      recoveryToken?: string | undefined;
    };
    output: { answer: CredentialsAnswer };
  };
  /** The nonce that was signed and the answer, not verified yet. */
  standing: {
    input: SigningDevice & { endpoint: CloudEndpoint };
    output: { nonce: string; standing: string };
  };
  components: {
    input: { endpoint: CloudEndpoint; deviceUuid: string };
    output: { components: DeviceComponents };
  };
  /** The cloud's time, signed with this nonce; not verified yet. Works with any clock: dates of certificates are not looked at. */
  time: { input: { endpoint: CloudEndpoint; nonce: string }; output: { time: string } };
  receipt: {
    input: SigningDevice & { endpoint: CloudEndpoint; assignment: number; orderId: string | null };
    output: Record<string, never>;
  };
  /** What this computer is, for a support request. */
  inventory: { input: Record<string, never>; output: { inventory: Record<string, unknown> } };
}
export type JobName = keyof JobTable;

/** How a child reports the outcome of a job. */
export type JobOutcome =
  | { readonly ok: true; readonly output: unknown }
  | ({
      readonly ok: false;
      readonly code: CloudApiErrorCode;
      readonly message: string;
    } & CloudApiErrorDetails);

/** A conversation with a child process, one JSON value a message each way. */
export interface ChildChannel {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Settles when the child has gone: `undefined` when it was asked to, else why. */
  readonly closed: Promise<Error | undefined>;
  /** Asks the child to end; kills it when it does not within a second. */
  close(): Promise<void>;
}

/**
 * Runs work in short-lived children of this same program, so that what it needs (HTTP, X.509, Noise) never stays
 * in the resident process. Inputs, also secret ones, travel over stdin; never in argv or the environment.
 */
export interface ChildJobs {
  /**
   * One job in a child of its own.
   * @throws {CloudApiError} as the job reported it; `TIMEOUT`, `ABORTED` and `CHILD_FAILED` by this side
   */
  run<J extends JobName>(
    job: J,
    input: JobTable[J]['input'],
    options: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<JobTable[J]['output']>;
  /** The child that owns the Bluetooth peripheral; it stays until it is closed. */
  openBle(input: BleChildInput): ChildChannel;
}

/** What carries the Bluetooth service. */
export type RadioSettings =
  /** Phones are processes that connect to this Unix socket. */
  | { readonly kind: 'simulated'; readonly socketPath: string }
  /** The Bluetooth adapter of this computer. */
  | {
      readonly kind: 'bluetooth';
      readonly library: 'stoprocent' | 'abandonware';
      /** `auto`: for this program alone, unless something is connected by every adapter. */
      readonly channel: 'auto' | 'user' | 'raw';
    };

/** What the Bluetooth child must know from the start. */
export interface BleChildInput {
  readonly radio: RadioSettings;
  readonly deviceUuid: string;
  readonly setupCodeHex: string;
}
