import { setTimeout as wait } from 'node:timers/promises';
import { signMessage, topics } from '@ares/protocol';
import type { BrokerLink } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { KnownDevice } from '../telemetry/types.ts';
import type { Connection, MonitorRepository } from './repository.ts';

/** A trial that cannot be made; the message says why and what to do. */
export class TrialError extends Error {
  override readonly name = 'TrialError';
  readonly code: 'NOT_OWNED' | 'NOT_CONNECTED' | 'LOST';

  constructor(code: TrialError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const WITHIN_MS = 5_000;
const LOOK_MS = 100;

export interface RoundTrip {
  readonly deviceUuid: string;
  readonly topic: string;
  readonly bytes: number;
  readonly roundTripMs: number;
  /** It had a MAC of the device's secret. */
  readonly signed: boolean;
  readonly presence: Connection['presence'];
}

type Ports = {
  readonly link: BrokerLink;
  readonly repository: MonitorRepository;
  readonly clock: Clock;
  readonly newUuid: () => string;
};

/**
 * A message to oneself through the broker, on a topic that no device and no app hears; with a MAC of the device's
 * secret where there is one.
 * @throws {TrialError} LOST
 * @throws {BrokerLinkError}
 */
export async function tryRoundTrip(
  { link, repository, clock, newUuid }: Ports,
  device: KnownDevice,
  withinMs = WITHIN_MS,
): Promise<RoundTrip> {
  const { deviceUuid } = device;
  const topic = topics.operatorTest.build({ deviceUuid });
  const key = device.keys.find(({ endsAt }) => endsAt === undefined);
  const body = { v: 1, kid: key?.kid, test: newUuid(), sentAt: clock.now() };
  const payload =
    key === undefined ? Buffer.from(JSON.stringify(body)) : Buffer.from(signMessage(topic, body, key.mac));
  const { presence } = await repository.connection(deviceUuid);
  const back = Promise.withResolvers<void>();
  const unsubscribe = await link.subscribe([topic], (_, heard) => {
    if (payload.equals(heard)) back.resolve();
  });
  const late = new AbortController();
  try {
    const startedAt = performance.now();
    await link.publish(topic, payload, { qos: 1 });
    const isBack = await Promise.race([
      back.promise.then(() => true),
      wait(withinMs, false, { signal: late.signal }),
    ]);
    if (!isBack)
      throw new TrialError(
        'LOST',
        `The broker took the message and did not bring it back within ${withinMs / 1_000} s: look at its rights (ares acl generate) and its log.`,
      );
    const roundTripMs = Math.round((performance.now() - startedAt) * 10) / 10;
    return { deviceUuid, topic, bytes: payload.length, roundTripMs, signed: key !== undefined, presence };
  } finally {
    late.abort();
    await unsubscribe();
  }
}

export interface OfflineTest {
  readonly deviceUuid: string;
  readonly before: Connection['presence'];
  readonly after: Connection['presence'];
  /** How long the cloud took to believe it. */
  readonly tookMs: number;
  readonly reconnected: boolean;
}

/**
 * Says in the device's name that its connection is lost, exactly as its last will does, and watches the cloud
 * believe it. The audit log says that it was a test.
 * @throws {TrialError} NOT_OWNED, NOT_CONNECTED, LOST
 * @throws {BrokerLinkError}
 */
export async function tryOffline(
  { link, repository, clock }: Ports,
  device: KnownDevice,
  options: { readonly reason: string; readonly reconnect: boolean; readonly withinMs?: number },
): Promise<OfflineTest> {
  const { reason, reconnect, withinMs = 2 * WITHIN_MS } = options;
  const { deviceUuid, assignment } = device;
  const key = device.keys.find(({ endsAt }) => endsAt === undefined);
  const listens = device.lifeCycle === 'ACTIVE' || device.lifeCycle === 'QUARANTINED';
  if (assignment === undefined || key === undefined || !listens)
    throw new TrialError('NOT_OWNED', 'The cloud takes messages only of a device that has an owner.');
  const { connectionId, presence: before, bootId, bootCount } = await repository.connection(deviceUuid);
  if (before === 'OFFLINE' || connectionId === null || bootId === null)
    throw new TrialError('NOT_CONNECTED', 'The device is OFFLINE: there is nothing to test.');
  const topic = topics.connectionStatus.build({ deviceUuid });
  const will = {
    v: 1,
    kid: key.kid,
    assignment: assignment.number,
    bootId,
    bootCount,
    sentAt: clock.now(),
    uptimeMs: 0,
    cpuSerial: device.cpuSerial,
    hardwareVersion: device.hardwareVersion,
    hardwareVariant: device.hardwareVariant,
    event: 'offline',
    connectionId,
  };
  await repository.noteOfflineTest(device, reason);
  const startedAt = performance.now();
  await link.publish(topic, signMessage(topic, will, key.mac), { qos: 1 });
  let after: Connection['presence'] = before;
  while (after !== 'OFFLINE' && performance.now() - startedAt < withinMs) {
    await wait(LOOK_MS);
    after = (await repository.connection(deviceUuid)).presence;
  }
  const tookMs = Math.round(performance.now() - startedAt);
  // Also when it was not believed: nobody can say what else was heard.
  if (reconnect) await repository.reconnect(deviceUuid);
  if (after !== 'OFFLINE')
    throw new TrialError(
      'LOST',
      `The device is ${after} still, ${withinMs / 1_000} s after the message: does a process with the role ingest run? Or the device has connected anew meanwhile.`,
    );
  return { deviceUuid, before, after, tookMs, reconnected: reconnect };
}
