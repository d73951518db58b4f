import {
  type CommandResult,
  type ComponentHealth,
  type DeviceCounters,
  MAX_READINGS_PER_MESSAGE,
  MAX_SIGNED_MESSAGE_BYTES,
  type Mac,
  MESSAGE_VERSION,
  type MessageHeader,
  type Reading,
  signMessage,
  topics,
} from '@ares/protocol';
import type { TrustedClock } from '../clock/trusted-clock.ts';
import type { Credentials, DeviceIdentity } from '../identity/types.ts';
import type { LinkMessage } from '../ports/broker-link.ts';

/** A boot as the header names it. */
export interface MessageBoot {
  readonly bootId: string;
  readonly bootCount: number;
  /** Highest stored uptime of a boot that is over, ms. */
  readonly lastUptimeMs: number;
}

/** Room for the header and the braces of a message. */
const HEADER_BYTES = 2_048;

/**
 * Makes signed messages. Topic and MAC are made here, at sending: a changed e-mail address or secret takes effect
 * with the next message and strands nothing that is stored.
 */
export class MessageMaker {
  readonly #identity: DeviceIdentity;
  readonly #boot: { readonly bootId: string; readonly bootCount: number };
  readonly #clock: TrustedClock;
  readonly #counters: () => DeviceCounters;
  #credentials: Credentials;
  #mac: Mac;

  constructor(options: {
    readonly identity: DeviceIdentity;
    readonly boot: { readonly bootId: string; readonly bootCount: number };
    readonly clock: TrustedClock;
    readonly counters: () => DeviceCounters;
    readonly credentials: Credentials;
    readonly mac: Mac;
  }) {
    this.#identity = options.identity;
    this.#boot = options.boot;
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.#credentials = options.credentials;
    this.#mac = options.mac;
  }

  use(credentials: Credentials, mac: Mac): void {
    this.#credentials = credentials;
    this.#mac = mac;
  }

  readings(boot: MessageBoot, componentType: string, readings: readonly Reading[]): LinkMessage {
    return this.#sign(this.#componentTopic(componentType), {
      ...this.#header(boot),
      readings,
      ...this.#counted(),
    });
  }

  health(componentType: string, health: readonly ComponentHealth[]): LinkMessage {
    return this.#sign(this.#componentTopic(componentType), { ...this.#header(), readings: [], health });
  }

  results(results: readonly CommandResult[]): LinkMessage {
    return this.#sign(topics.commandsStatus.build(this.#identity), { ...this.#header(), results });
  }

  birth(birth: {
    connectionId: string;
    agentVersion: string;
    health: readonly ComponentHealth[];
  }): LinkMessage {
    const { certificateSerial } = this.#credentials;
    return this.#sign(topics.connectionStatus.build(this.#identity), {
      ...this.#header(),
      event: 'online',
      certificateSerial,
      ...birth,
      ...this.#counted(),
    });
  }

  will(connectionId: string): LinkMessage {
    return this.#sign(topics.connectionStatus.build(this.#identity), {
      ...this.#header(),
      event: 'offline',
      connectionId,
    });
  }

  /** How many of these readings or results fit in one message, which carries at most `most`. */
  static fitting(items: readonly (Reading | CommandResult)[], most = MAX_READINGS_PER_MESSAGE): number {
    let bytes = HEADER_BYTES;
    for (const [i, item] of items.entries()) {
      bytes += Buffer.byteLength(JSON.stringify(item)) + 1;
      if (i === most || bytes > MAX_SIGNED_MESSAGE_BYTES) return i;
    }
    return items.length;
  }

  #componentTopic(componentType: string): string {
    const { deviceUuid } = this.#identity;
    return topics.componentStatus.build({
      userEmail: this.#credentials.userEmail,
      deviceUuid,
      componentType,
    });
  }

  #counted(): { counters?: DeviceCounters } {
    const counters = this.#counters();
    return Object.values(counters).some((count) => count > 0) ? { counters } : {};
  }

  #header(boot?: MessageBoot): MessageHeader {
    const running = boot === undefined || boot.bootId === this.#boot.bootId;
    return {
      v: MESSAGE_VERSION,
      kid: this.#credentials.kid,
      assignment: this.#credentials.assignment,
      bootId: running ? this.#boot.bootId : boot.bootId,
      bootCount: running ? this.#boot.bootCount : boot.bootCount,
      sentAt: this.#clock.trustedNow(),
      uptimeMs: running ? this.#clock.uptimeMs() : boot.lastUptimeMs,
      cpuSerial: this.#identity.cpuSerial,
      hardwareVersion: this.#credentials.hardwareVersion,
      hardwareVariant: this.#credentials.hardwareVariant,
    };
  }

  #sign(topic: string, body: object): LinkMessage {
    return { topic, payload: signMessage(topic, body, this.#mac) };
  }
}
