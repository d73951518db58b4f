import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ProblemError } from '@ares/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, temporaryHome } from '../support/ares-process.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type ClaimedDevice, claimWith } from '../support/fault-device.ts';
import { killAndRevive } from '../support/kill.ts';
import { seededRandom } from '../support/random.ts';

const COMMANDS = process.env['ARES_FAULTS'] === 'long' ? 500 : 50;
const TTL_SECONDS = 4;
/** How far the clocks of two processes on one machine and a timer may lie apart. */
const TOLERANCE_MS = 50;
const home = temporaryHome();
let cluster: Cluster | undefined;
let device: ClaimedDevice | undefined;

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await device?.pi.stop();
  await cluster?.stop();
  home.remove();
});

const definition = {
  componentType: 'recorder',
  kind: 'actuator' as const,
  pinRoles: ['line'],
  metrics: [{ metric: 'state', unit: '1', min: 0, max: 1, stateKey: 'recorder' }],
  actions: [{ action: 'mark', longestRunMs: 60_000 }, { action: 'off' }, { action: 'stop' }],
  sampleIntervalMs: 60_000,
};

interface Row {
  id: string;
  n: number;
  status: string;
  expires_at: Date;
}

describe(`${COMMANDS} commands under duplicates, delays and kills`, () => {
  it('CMD-05 CMD-06 CMD-07 run none twice and none late, and every one ends in a final state', async () => {
    const random = seededRandom();
    console.log(`seed ${random.seed} (ARES_SEED=${random.seed} repeats it)`);
    const cloud = await startCluster(join(home.path, 'cloud-home'));
    cluster = cloud;
    const ran = new Map<number, number[]>();
    const recorder = createSocket('udp4', (datagram) => {
      const [n, at] = datagram.toString().split(' ').map(Number) as [number, number];
      ran.set(n, [...(ran.get(n) ?? []), at]);
    });
    recorder.bind(0, '127.0.0.1');
    await once(recorder, 'listening');
    closers.push(async () => void recorder.close());
    const claimed = await claimWith({
      folder: join(home.path, 'device'),
      cluster: cloud,
      definition,
      component: { pins: { line: 17 }, config: { port: recorder.address().port } },
    });
    device = claimed;
    const intruder = await cloud.connectService('ares-operator');
    closers.push(() => intruder.close());
    const again: Promise<void>[] = [];
    const repeat = async (commandId: string) => {
      for (let i = random.between(0, 4); i > 0; i--) {
        await wait(random.between(0, TTL_SECONDS * 2_000));
        const [row] = await cloud
          .sql<{ topic: string; jws: string }>('select topic, jws from commands where id = $1', [commandId])
          .catch(() => []);
        if (row !== undefined) await intruder.publish(row.topic, row.jws).catch(() => {});
      }
    };

    let sent = 0;
    let kills = 0;
    const killing = (async () => {
      while (sent < COMMANDS) {
        await wait(random.between(1_000, 4_000));
        await killAndRevive(random.pick(['agent', 'agent', 'broker', 'ingest', 'api', 'database'] as const), {
          random,
          cluster: cloud,
          pi: claimed.pi,
        });
        kills += 1;
      }
    })();
    while (sent < COMMANDS) {
      await wait(random.between(20, 150));
      try {
        const answer = await cloud.owner.sendCommand({
          params: { id: claimed.deviceUuid },
          body: {
            componentId: claimed.componentId,
            action: 'mark',
            args: { n: sent, durationMs: 100 },
            ttlSeconds: TTL_SECONDS,
          },
        });
        again.push(repeat(answer.commandId));
        sent += 1;
      } catch (error) {
        // The API is being killed: an answer that is lost leaves a command that must end like any other.
        if (error instanceof ProblemError && error.code !== 'UNAVAILABLE' && error.code !== 'INTERNAL')
          throw error;
      }
    }
    await killing;
    await Promise.all(again);
    const commands = () =>
      cloud.sql<Row>(
        `select id, (args->>'n')::int as n, status, expires_at from commands where action = 'mark'`,
      );
    await eventually(
      'every command is in a final state',
      async () => (await commands()).every(({ status }) => status !== 'PENDING'),
      120_000,
    );

    const rows = await commands();
    const byStatus = Map.groupBy(rows, ({ status }) => status);
    console.log(
      `${kills} kills, ${ran.size} ran;`,
      Object.fromEntries([...byStatus].map(([status, list]) => [status, list.length])),
    );
    expect(kills).toBeGreaterThan(1);
    expect(byStatus.get('COMPLETED')?.length ?? 0).toBeGreaterThan(COMMANDS / 5);
    // Two rows may carry one n, where the first answer was lost: each may run once.
    for (const [n, list] of Map.groupBy(rows, (row) => row.n)) {
      const times = ran.get(n) ?? [];
      expect(times.length, `command ${n} ran more often than it was sent`).toBeLessThanOrEqual(list.length);
      const latest = Math.max(...list.map(({ expires_at }) => expires_at.getTime()));
      for (const at of times) expect(at, `command ${n} ran late`).toBeLessThanOrEqual(latest + TOLERANCE_MS);
      const completed = list.filter(({ status }) => status === 'COMPLETED').length;
      expect(times.length, `command ${n} is said to have run`).toBeGreaterThanOrEqual(completed);
    }
  });
});
