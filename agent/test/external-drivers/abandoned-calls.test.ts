import { createMockHardware, createTestClock, silentLogger } from '@ares/hardware-drivers/testing';
import { expect, it } from 'vitest';
import { createDriverHost } from '../../src/external-drivers/driver-host.ts';
import type { DriversChannel, FromDriversChild } from '../../src/ports/drivers-child.ts';
import { silentLogger as agentLogger } from '../../src/ports/logger.ts';
import { attached } from '../support/drivers-bench.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';

/** A process of well-behaved sensors that never answer a read, and end when the test says so. */
function createProcess() {
  const reads: number[] = [];
  let say: (message: FromDriversChild) => void = () => undefined;
  let end: (reason: string) => void = () => undefined;
  const open = (): DriversChannel => {
    const closed = Promise.withResolvers<string>();
    end = closed.resolve;
    return {
      closed: closed.promise,
      residentBytes: () => 0,
      kill: closed.resolve,
      onMessage: (listener) => {
        say = listener;
      },
      send: (message) => {
        if (message.type === 'ping') return say({ type: 'pong' });
        if (message.type !== 'call') return;
        const { id, call } = message;
        if (call.do === 'read') return void reads.push(id);
        const type = call.do === 'describe' ? call.component.componentType : '';
        const value = { ...description, type };
        say({ type: 'answer', id, answer: { ok: true, value } });
      },
    };
  };
  return { open, reads, say: (message: FromDriversChild) => say(message), end: () => end('it crashed') };
}

const description = {
  kind: 'sensor',
  summary: '',
  pinRoles: [],
  metrics: {},
  sampleIntervalMs: 1_000,
  pins: [],
  actions: {},
  limits: { longestRunMs: 0, minimumOffMs: 0 },
};

it('an end in code that was entered for a call nobody waits for any more makes all suspects, not none', async () => {
  const process = createProcess();
  const clock = createFakeClock();
  const host = createDriverHost({ process, clock, logger: agentLogger });
  const components = [attached(1, 'one'), attached(2, 'two')];
  const context = {
    pins: {},
    config: {},
    hardware: createMockHardware(),
    clock: createTestClock(),
    logger: silentLogger,
  };
  const instances = [];
  for (const component of components) {
    const driver = await host.load(component.componentType, component);
    const instance = driver.create(context);
    await instance.start();
    instances.push(instance);
  }
  const patience = new AbortController();
  const reading = instances[0]!.read(patience.signal);
  patience.abort(new Error('it took too long'));
  await expect(reading).rejects.toThrow('too long');
  process.say({ type: 'entered', id: process.reads[0]! });
  process.end();
  await settle();
  await host.load('one', components[0]!);
  await expect(host.load('two', components[1]!)).rejects.toMatchObject({ code: 'DRIVER_SUSPENDED' });
  const closing = host.close();
  process.end();
  await closing;
});
