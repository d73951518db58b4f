import { describe, expect, it } from 'vitest';
import { createLifecycleRunner, type StepExecutors } from '../../src/lifecycle/runner.ts';
import { defaultOperatingConfig } from '../../src/operate/config.ts';
import { Connection } from '../../src/operate/connection.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { createPulse } from '../../src/ports/pulse.ts';
import { reportToServiceManager } from '../../src/service/service-report.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import { createTestRandom } from '../support/session-bench.ts';

const WATCHDOG_MS = 60_000;

function watched(summary = () => 'OPERATING') {
  const clock = createFakeClock();
  const pulse = createPulse({ clock });
  const said: string[] = [];
  let fedAt = clock.monotonicMs();
  const report = reportToServiceManager({
    manager: {
      watchdogMs: WATCHDOG_MS,
      ready: () => said.push('ready'),
      alive: () => {
        fedAt = clock.monotonicMs();
      },
      status: (line) => said.push(line),
      stopping: () => said.push('stopping'),
    },
    pulse,
    clock,
    logger: silentLogger,
    summary,
  });
  return { clock, pulse, report, said, hungryForMs: () => clock.monotonicMs() - fedAt };
}

const idle = () => new Promise<undefined>(() => undefined);
const ignore = () => undefined;
const obedient = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)));

function runnerWith(executors: Partial<StepExecutors>, { clock, pulse }: ReturnType<typeof watched>) {
  return createLifecycleRunner({
    store: { load: () => undefined, save: () => undefined },
    executors: {
      'await-claim': idle,
      provision: idle,
      operate: idle,
      'await-recovery': idle,
      'wait-while-blocked': idle,
      reset: obedient,
      ...executors,
    },
    clock,
    logger: silentLogger,
    pulse,
    onState: () => undefined,
  });
}

describe('the watchdog', () => {
  it('is fed three times in its interval while every loop goes round', async () => {
    const world = watched();
    for (let i = 0; i < 30; i++) {
      world.pulse.beat('operation', 90_000);
      await world.clock.advance(20_000);
      expect(world.hungryForMs()).toBeLessThanOrEqual(WATCHDOG_MS / 3);
    }
  });

  it('is fed no more when a step does not end although it was told to', async () => {
    const world = watched();
    const runner = runnerWith({ 'await-claim': idle }, world);
    void runner.run();
    await settle();
    void runner.dispatch({ event: 'reset-requested', why: 'A test.' });
    await world.clock.advance(10 * 60_000);
    expect(world.pulse.overdue()).toEqual(['change of state']);
    expect(world.hungryForMs()).toBeGreaterThan(WATCHDOG_MS);
  });

  it('goes on being fed when the step ends as it was told', async () => {
    const world = watched();
    const runner = runnerWith({ 'await-claim': obedient }, world);
    void runner.run();
    await settle();
    await runner.dispatch({ event: 'reset-requested', why: 'A test.' });
    await world.clock.advance(10 * 60_000);
    expect(world.hungryForMs()).toBeLessThanOrEqual(WATCHDOG_MS / 3);
  });

  it('is fed no more when an attempt to connect neither succeeds nor fails', async () => {
    const world = watched();
    const { clock, pulse } = world;
    const connection = new Connection({
      link: { connect: () => new Promise(() => undefined) },
      clock,
      random: createTestRandom(),
      logger: silentLogger,
      config: defaultOperatingConfig,
      pulse,
      target: () => ({
        host: 'broker.test',
        port: 8883,
        clientId: 'a',
        caCertificates: [],
        certificateChain: '',
        privateKeyPem: '',
        notBefore: 0,
        will: { topic: '', payload: new Uint8Array() },
        subscribe: [],
      }),
      events: { onUp: ignore, onDown: ignore, onMessage: ignore, onState: ignore },
    });
    connection.start();
    await clock.advance(10 * 60_000);
    expect(pulse.overdue()).toEqual(['connection']);
    expect(world.hungryForMs()).toBeGreaterThan(WATCHDOG_MS);
  });
});

describe('what the service manager is told', () => {
  it('is ready once, and the line only when it changes', async () => {
    let line = 'Starting.';
    const { clock, report, said } = watched(() => line);
    report.ready();
    report.ready();
    await clock.advance(60_000);
    line = 'OPERATING, connected';
    await clock.advance(60_000);
    report.stopping();
    expect(said.slice(0, 4)).toEqual(['Starting.', 'ready', 'OPERATING, connected', 'stopping']);
    report.close();
    expect(clock.timers).toBe(0);
  });
});
