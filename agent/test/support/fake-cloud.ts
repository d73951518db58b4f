import { randomUUID } from 'node:crypto';
import {
  type Acknowledgement,
  type CommandClaims,
  type CommandResult,
  openSignedMessage,
  orderTypes,
  type Reading,
  signMessage,
  type TelemetryEnvelope,
  topics,
  toRanges,
} from '@ares/protocol';
import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { createMac } from '../../src/telemetry/hmac.ts';
import type { FakeBroker } from './fake-broker.ts';
import { settle, until } from './fake-clock.ts';

export const deviceUuid = '6d2c1f3e-8f9a-4b7c-9d0e-1a2b3c4d5e6f';
export const sharedSecret = Buffer.alloc(32, 7).toString('base64url');
const mac = createMac(sharedSecret);
const keyPair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
const publicKey = await exportJWK(keyPair.publicKey);

/** Keys as the trust file holds them. */
export const commandKeys = {
  keys: [{ kty: 'OKP', crv: 'Ed25519', x: publicKey.x!, kid: 'orders-1', alg: 'EdDSA', use: 'sig' }],
} as const;

/** Signs anything as the cloud would. */
export function signOrder(
  claims: object,
  options: { typ?: string; kid?: string; header?: object; key?: CryptoKey } = {},
): Promise<string> {
  const { typ = orderTypes.command, kid = 'orders-1', header = {}, key = keyPair.privateKey } = options;
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'EdDSA', kid, typ, ...header })
    .sign(key);
}

/** A telemetry message as it was verified. */
export type Received = Omit<TelemetryEnvelope, 'readings'> & { topic: string; readings: Reading[] };

/** The cloud at the other end of a fake broker: verifies everything, keeps it, and acknowledges when told. */
export interface FakeCloud {
  readonly telemetry: Received[];
  readonly results: CommandResult[];
  readonly connection: Record<string, unknown>[];
  /** Answers each message by itself. Default true. */
  answering: boolean;
  /** Every reading that was stored, by `boot:seq`. */
  readonly stored: Map<string, Reading>;
  acknowledge(part: Partial<Acknowledgement> & { bootId: string }): void;
  /** Claims of a command, valid unless told otherwise. */
  claims(part?: Partial<CommandClaims>): CommandClaims;
  /** Sends it and waits until the device has read it, whatever it made of it. */
  order(claims: CommandClaims, options?: Parameters<typeof signOrder>[1] & { topic?: string }): Promise<void>;
  allOrdersRead(): Promise<void>;
}

export function createFakeCloud(options: {
  broker: FakeBroker;
  now: () => number;
  assignment?: number;
}): FakeCloud {
  const { broker, now, assignment = 1 } = options;
  let seq = 0;
  const probes = new Set<string>();
  const cloud: FakeCloud = {
    telemetry: [],
    results: [],
    connection: [],
    answering: true,
    stored: new Map(),
    acknowledge: (part) => {
      const topic = topics.telemetryAck.build({ deviceUuid });
      const ack = {
        v: 1,
        kid: `a${assignment}.1`,
        stored: [],
        rejected: [],
        cloudTime: Math.floor(now()),
        ...part,
      };
      broker.deliver(topic, signMessage(topic, ack, mac));
    },
    claims: (part = {}) => {
      const { componentType = 'pump', action = 'on' } = part;
      return {
        aud: deviceUuid,
        asg: assignment,
        topic: topics.command.build({ deviceUuid, componentType, action }),
        jti: randomUUID(),
        iat: now() / 1_000,
        exp: now() / 1_000 + 30,
        seq: part.seq ?? ++seq,
        componentId: 2,
        componentType,
        action,
        args: action === 'on' ? { durationMs: 10_000 } : {},
        ...part,
      };
    },
    order: async (claims, { topic = claims.topic, ...signing } = {}) => {
      broker.deliver(topic, await signOrder(claims, signing));
      await cloud.allOrdersRead();
    },
    allOrdersRead: async () => {
      if (!broker.connected) return;
      // Orders are verified one after the other, on other threads: when this one is refused, those before are read.
      const last = cloud.claims({ action: 'stop', componentId: 2_000_000_000, seq: 1 });
      broker.deliver(last.topic, await signOrder(last));
      await until('orders are read', () => probes.has(last.jti));
      await settle();
    },
  };
  broker.onPublish(({ topic, payload }) => {
    const opened = openSignedMessage(topic, payload, [mac]);
    if (!opened.ok) throw new Error(`the cloud refuses a message on ${topic}: ${opened.problem}`);
    const value = opened.value as Record<string, unknown>;
    if (topics.componentStatus.parse(topic) !== undefined) {
      const message = { topic, ...value } as unknown as Received;
      cloud.telemetry.push(message);
      if (!cloud.answering || message.readings.length === 0) return;
      for (const reading of message.readings) cloud.stored.set(`${message.bootId}:${reading.seq}`, reading);
      queueMicrotask(() =>
        cloud.acknowledge({
          bootId: message.bootId,
          stored: toRanges(message.readings.map((one) => one.seq)),
        }),
      );
    } else if (topics.commandsStatus.parse(topic) !== undefined) {
      const results = value['results'] as CommandResult[];
      for (const result of results) {
        if (result.code === 'NOT_ATTACHED' && result.detail?.includes('2000000000'))
          probes.add(result.commandId);
        else cloud.results.push(result);
      }
      if (!cloud.answering) return;
      queueMicrotask(() =>
        cloud.acknowledge({
          bootId: value['bootId'] as string,
          results: results.map((one) => one.commandId),
        }),
      );
    } else cloud.connection.push(value);
  });
  return cloud;
}
