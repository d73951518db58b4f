import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDriverRegistry } from '@ares/hardware-drivers';
import { boardNowMs, readLevelLog, simulatedHardware, spawnBoard } from '@ares/hardware-drivers/simulation';
import { openSignedMessage, signMessage, type TelemetryMessage, topics, toRanges } from '@ares/protocol';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createMqttBrokerLink } from '../../agent/src/adapters/mqtt-broker-link.ts';
import { createShellGuard } from '../../agent/src/adapters/shell-guard.ts';
import { createSystemClock } from '../../agent/src/adapters/system-clock.ts';
import { defaultOperatingConfig } from '../../agent/src/operate/config.ts';
import { createOperatingSession } from '../../agent/src/operate/session.ts';
import { silentLogger } from '../../agent/src/ports/logger.ts';
import { openDeviceStore } from '../../agent/src/store/device-store.ts';
import { createMac } from '../../agent/src/telemetry/hmac.ts';
import { until } from '../../agent/test/support/fake-clock.ts';
import { commandKeys, signOrder } from '../../agent/test/support/fake-cloud.ts';
import { componentList, credentials } from '../../agent/test/support/session-bench.ts';
import { makeTestAuthority } from '../support/certificates.ts';
import { startMtlsBroker } from '../support/mtls-broker.ts';

const deviceUuid = randomUUID();
const mac = createMac(credentials.sharedSecret);

/** A session with its real adapters: broker over mutual TLS, database, guard, a board of its own. */
async function startSession() {
  const dir = mkdtempSync(join(tmpdir(), 'ares-operating-'));
  const authority = await makeTestAuthority();
  const server = await authority.issue({ commonName: 'localhost', usage: 'server' });
  const device = await authority.issue({ commonName: deviceUuid, usage: 'client' });
  const broker = await startMtlsBroker({ ca: authority.certificatePem, server });
  const board = await spawnBoard({ dir: join(dir, 'board'), pumpPin: 17, dht22Pin: 4 });
  const clock = createSystemClock({ assumeSynchronised: true });
  const store = openDeviceStore({ dir, logger: silentLogger, clock });
  const guard = createShellGuard({ clock, logger: silentLogger });
  await guard.start();
  const startedAt = performance.now();
  const session = createOperatingSession({
    identity: {
      deviceUuid,
      cpuSerial: '00000000abcdef01',
      hardwareVersion: 'sim-1',
      hardwareVariant: 'standard',
    },
    credentials: {
      ...credentials,
      certificateChain: device.certificatePem,
      privateKeyPem: device.keyPem,
      mqtt: { host: '127.0.0.1', port: broker.port },
    },
    trust: {
      v: 1,
      caCertificates: [authority.certificatePem],
      commandKeys: { keys: [...commandKeys.keys] },
      tufRoot: null,
    },
    componentSource: {
      fetch: async () =>
        componentList([
          { componentId: 1, componentType: 'dht22', pins: { data: 4 }, config: {} },
          { componentId: 2, componentType: 'pump', pins: { line: 17 }, config: { minimumOffMs: 0 } },
        ]),
    },
    link: createMqttBrokerLink(),
    drivers: createDriverRegistry(),
    hardware: simulatedHardware(board.dir),
    store,
    guard,
    changeNetwork: async () => ({ outcome: 'kept' }),
    clock,
    logger: silentLogger,
    random: { bytes: randomBytes, uuid: randomUUID, fraction: Math.random },
    config: {
      ...defaultOperatingConfig,
      agentVersion: '0.1.0',
      reconnectSpreadMs: 200,
      sampleIntervalMs: 200,
      batchAfterMs: 500,
    },
  });
  const stored = new Map<string, number>();
  let seen = 0;
  /** Verifies and acknowledges what came since the last call, as the cloud would after its commit. */
  const acknowledge = async () => {
    for (const { topic, payload } of broker.published.slice(seen)) {
      seen++;
      if (topics.componentStatus.parse(topic) === undefined) continue;
      const opened = openSignedMessage(topic, payload, [mac]);
      if (!opened.ok) throw new Error(opened.problem);
      const message = opened.value as TelemetryMessage;
      const seqs = message.readings.map(({ seq }) => seq);
      for (const seq of seqs)
        stored.set(`${message.bootId}:${seq}`, (stored.get(`${message.bootId}:${seq}`) ?? 0) + 1);
      const ackTopic = topics.telemetryAck.build({ deviceUuid });
      const { bootId } = message;
      const ack = { v: 1, kid: 'a1.1', bootId, stored: toRanges(seqs), rejected: [], cloudTime: Date.now() };
      await broker.deliver(ackTopic, signMessage(ackTopic, ack, mac));
    }
  };
  onTestFinished(async () => {
    await session.stop('test ended');
    await guard.stop();
    store.close();
    await board.stop();
    await broker[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });
  session.start();
  return { session, broker, board, acknowledge, stored, startedAt };
}

describe('a session with its real adapters', () => {
  it('stores its first reading within two seconds, runs the pump on command and switches it off on time', async () => {
    const { session, broker, board, acknowledge, startedAt } = await startSession();
    await until('the first reading is acknowledged', async () => {
      await acknowledge();
      return session.status().firstReadingAcknowledged;
    });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(session.status()).toMatchObject({ clockTrusted: true, guardAvailable: true });

    const topic = topics.command.build({ deviceUuid, componentType: 'pump', action: 'on' });
    const claims = {
      aud: deviceUuid,
      asg: 1,
      topic,
      jti: randomUUID(),
      iat: Date.now() / 1_000,
      exp: Date.now() / 1_000 + 10,
      seq: 1,
      componentId: 2,
      componentType: 'pump',
      action: 'on',
      args: { durationMs: 700 },
    };
    const orderedAt = boardNowMs();
    await broker.deliver(topic, await signOrder(claims));
    const changes = async () => await readLevelLog(board.dir, 17);
    await until('the pump ran', async () => (await changes()).length >= 2);
    const [on, off] = (await changes()).slice(-2);
    expect(on!.atMs - orderedAt).toBeLessThan(500);
    expect(Math.abs(off!.atMs - on!.atMs - 700)).toBeLessThan(150);
    const results = broker.published.filter(
      (message) => message.topic === topics.commandsStatus.build({ deviceUuid }),
    );
    expect(results.map(({ payload }) => payload.toString())).toContainEqual(
      expect.stringContaining('"verified":true'),
    );
  });

  it('NET-01 loses nothing while its connection is cut again and again', async () => {
    const { session, broker, acknowledge, stored } = await startSession();
    for (let round = 0; round < 6; round++) {
      await until('it is connected', () => session.status().connection.state === 'connected');
      await new Promise((resolve) => setTimeout(resolve, 300));
      if (round % 2 === 0) await acknowledge();
      broker.cut();
    }
    await until('everything is acknowledged', async () => {
      await acknowledge();
      return stored.size > 20 && session.status().outbox.rows < 8;
    });
    const { bootId } = session.status();
    const seqs = [...stored.keys()].map((key) => Number(key.split(':')[1])).sort((a, b) => a - b);
    expect([...stored.keys()].every((key) => key.startsWith(bootId))).toBe(true);
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => i + 1));
  });
});
