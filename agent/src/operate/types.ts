import type { Hardware } from '@ares/hardware-drivers';
import type { ComponentHealth, ReadingProblem, ResetClaims, TrustFile } from '@ares/protocol';
import type { ClockSource, SignedTime } from '../clock/trusted-clock.ts';
import type { Credentials, DeviceIdentity } from '../identity/types.ts';
import type { BrokerLink, LinkErrorCode } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { ComponentSource } from '../ports/component-source.ts';
import type { DriverSource } from '../ports/driver-source.ts';
import type { Guard } from '../ports/guard.ts';
import type { Logger } from '../ports/logger.ts';
import type { ChangeNetwork } from '../ports/network-changer.ts';
import type { Pulse } from '../ports/pulse.ts';
import type { DeviceStore, OutboxStats } from '../store/types.ts';
import type { OperatingConfig } from './config.ts';

/** Randomness as an argument. */
export interface Random {
  bytes(count: number): Uint8Array;
  uuid(): string;
  /** 0 ≤ x < 1. */
  fraction(): number;
}

/** Everything that a session needs. */
export interface SessionOptions {
  readonly identity: DeviceIdentity;
  readonly credentials: Credentials;
  readonly trust: TrustFile;
  readonly componentSource: ComponentSource;
  readonly link: BrokerLink;
  readonly drivers: DriverSource;
  readonly hardware: Hardware;
  readonly store: DeviceStore;
  readonly guard: Guard;
  readonly changeNetwork: ChangeNetwork;
  readonly clock: Clock;
  /** Told a time that cloud and operating system agree on, again and again. */
  readonly rememberTime?: ((epochMs: number) => void) | undefined;
  /** The cloud's signed time, for a clock that nothing else sets; and who wants to know it. */
  readonly signedTime?:
    | {
        ask(signal: AbortSignal): Promise<SignedTime>;
        onTime(epochMs: number): void;
      }
    | undefined;
  readonly logger: Logger;
  readonly random: Random;
  readonly config: OperatingConfig;
  readonly pulse?: Pulse | undefined;
}

/** What the session reports. */
export interface SessionEvents {
  /** A verified order to forget everything; `token` is the order itself. */
  'reset-order': { readonly claims: ResetClaims; readonly token: string };
  /** The broker refuses this device, or nothing is acknowledged any more: ask for the standing. */
  refused: { readonly why: LinkErrorCode | 'UNANSWERED'; readonly detail: string };
  /** The cloud has stored the first reading of this session. */
  'first-reading-acknowledged': { readonly afterMs: number };
  /** Components that do not work, with the reason; empty again when all do. */
  'components-error': { readonly components: readonly ComponentHealth[] };
  connection: { readonly state: ConnectionState; readonly detail?: string };
}

export type ConnectionState = 'connecting' | 'connected' | 'waiting' | 'stopped';

export interface SessionStatus {
  readonly connection: {
    readonly state: ConnectionState;
    /** Why there is none, in one sentence; absent while connected. */
    readonly detail?: string;
    readonly code?: LinkErrorCode;
    /** What the operating system or TLS said, e.g. `ENOTFOUND`. */
    readonly reason?: string;
    /** Begin of this state, epoch ms of the device's clock. */
    readonly since: number;
  };
  readonly bootId: string;
  readonly bootCount: number;
  readonly clockTrusted: boolean;
  /** What the trust in the clock stands on. */
  readonly clockSource: ClockSource | null;
  readonly guardAvailable: boolean;
  readonly firstReadingAcknowledged: boolean;
  readonly outbox: OutboxStats;
  readonly pendingResults: number;
  /** Why the cloud does not take readings now; absent while it does. */
  readonly putOff?: ReadingProblem;
  readonly components: readonly (ComponentHealth & { readonly componentType: string })[];
}

/** A claimed device at work. */
export interface OperatingSession {
  /** Returns at once; connecting and loading go on in the background. Once only. */
  start(): void;
  /** New certificate, secret or e-mail of the same assignment; connects again with it. @throws {TypeError} other assignment */
  replaceCredentials(credentials: Credentials): void;
  /** Outputs safe, drivers stopped, good-bye said. May be called again. */
  stop(reason: string): Promise<void>;
  status(): SessionStatus;
  /** That part of the status which asks nothing of the disk. */
  connection(): SessionStatus['connection'];
  /** Settles when the components that it began with have shown whether they work. */
  settled(): Promise<void>;
  /** The answer takes the listener off. */
  on<E extends keyof SessionEvents>(event: E, listener: (value: SessionEvents[E]) => void): () => void;
}
