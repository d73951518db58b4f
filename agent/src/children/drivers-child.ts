import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type ActuatorInstance,
  createDriverRegistry,
  type DriverDefinition,
  DriverError,
  type Hardware,
  type SensorInstance,
  systemDriverClock,
  type Wiring,
} from '@ares/hardware-drivers';
import type { AttachedComponent } from '@ares/protocol';
import { Calls } from '../external-drivers/calls.ts';
import { answerOf } from '../external-drivers/carried-error.ts';
import type { DriverCall, DriverDescription, HardwareCall } from '../ports/drivers-child.ts';
import type { AgentPipe } from './agent-pipe.ts';
import { keepApart } from './drivers-apart.ts';
import { createInstanceLog, type InstanceLog } from './instance-log.ts';
import { createRemoteHardware, type RemoteHardware } from './remote-hardware.ts';

/** What the process is told first. */
export interface DriversChildInput {
  /** Component type → folder or file of its driver. */
  readonly drivers: Readonly<Record<string, string>>;
}

interface Life {
  readonly driver: SensorInstance | ActuatorInstance;
  readonly remote: RemoteHardware;
  readonly log: InstanceLog;
}

/**
 * The process of drivers by others. It does what it is told, one message at a time, and says before it enters a
 * driver's code and when that has come back, so that the agent knows whose code it was that never did.
 */
export function runDriversChild(options: {
  readonly pipe: Pick<AgentPipe, 'send' | 'onMessage'>;
  readonly input: DriversChildInput;
}): void {
  const { pipe, input } = options;
  const registry = createDriverRegistry({ external: input.drivers });
  const lives = new Map<number, Life>();
  const aborts = new Map<number, AbortController>();
  const current = new AsyncLocalStorage<InstanceLog>();
  const hardwareCalls = new Calls<{ readonly instance: number; readonly call: HardwareCall }>((message) =>
    pipe.send(message.type === 'abort' ? message : { type: 'call', id: message.id, ...message.call }),
  );
  keepApart(current, pipe);

  const definitionOf = async (id: number, component: AttachedComponent) => {
    // What a module does as it loads counts too.
    pipe.send({ type: 'entered', id });
    try {
      const definition = await registry.load(component.componentType);
      return { definition, wiring: definition.parseWiring(component) };
    } finally {
      pipe.send({ type: 'left', id });
    }
  };

  /** Runs a driver's code as far as it goes without waiting. */
  const enter = <T>(id: number, log: InstanceLog, code: () => Promise<T>): Promise<T> => {
    pipe.send({ type: 'entered', id });
    try {
      return current.run(log, code);
    } finally {
      pipe.send({ type: 'left', id });
    }
  };

  const start = async (id: number, instance: number, component: AttachedComponent): Promise<void> => {
    const { definition, wiring } = await definitionOf(id, component);
    const remote = createRemoteHardware((call, signal) => hardwareCalls.call({ instance, call }, { signal }));
    const log = createInstanceLog(instance, pipe);
    await enter(id, log, async () => {
      const { hardware } = remote;
      const driver = definition.create({ ...wiring, hardware, clock: systemDriverClock, logger: log });
      lives.set(instance, { driver, remote, log });
      await driver.start();
    });
  };

  const perform = async (id: number, call: DriverCall, signal: AbortSignal): Promise<unknown> => {
    if (call.do === 'describe') return describe(await definitionOf(id, call.component));
    if (call.do === 'start') return start(id, call.instance, call.component);
    const life = lives.get(call.instance);
    if (life === undefined) throw new DriverError('NOT_RUNNING', 'the driver is not started');
    const { driver, log } = life;
    return enter(id, log, async () => {
      if (call.do === 'read') return driver.read(signal);
      if (call.do === 'run' && driver.kind === 'actuator') return driver.run(call.action, call.args, signal);
      lives.delete(call.instance);
      return driver.stop();
    });
  };

  const onCall = async (id: number, call: DriverCall): Promise<void> => {
    const abort = new AbortController();
    aborts.set(id, abort);
    const answer = await answerOf(() => perform(id, call, abort.signal));
    aborts.delete(id);
    pipe.send({ type: 'answer', id, answer });
  };

  pipe.onMessage((message) => {
    switch (message.type) {
      case 'ping':
        return pipe.send({ type: 'pong' });
      case 'call':
        return void onCall(message.id, message.call);
      case 'abort':
        return aborts
          .get(message.id)
          ?.abort(new DriverError('TIMED_OUT', 'the agent does not wait any more'));
      case 'answer':
        return hardwareCalls.settle(message.id, message.answer);
      case 'edge':
        return lives.get(message.instance)?.remote.edge(message.line, message.on);
    }
  });
}

/** Hardware that tells of a safe output only which part of the hardware was asked for it. */
const safeOutputKinds = {
  gpio: { safeOutput: (bcm: number) => ({ bcm, path: 'gpio', safeValue: '0' }) },
  pwm: { safeOutput: (bcm: number) => ({ bcm, path: 'pwm', safeValue: '0' }) },
} as unknown as Hardware;

function describe(wired: {
  readonly definition: DriverDefinition;
  readonly wiring: Wiring;
}): DriverDescription {
  const { definition, wiring } = wired;
  const { type, kind, summary, pinRoles, metrics, sampleIntervalMs } = definition;
  const pulsed = definition
    .safeOutputs(wiring, safeOutputKinds)
    .filter(({ path }) => path === 'pwm')
    .map(({ bcm }) => bcm);
  const common = {
    type,
    kind,
    summary,
    pinRoles,
    metrics,
    sampleIntervalMs,
    pins: definition.pins(wiring).map((pin) => ({ ...pin, pulsed: pulsed.includes(pin.bcm) })),
  };
  return definition.kind === 'actuator'
    ? { ...common, actions: definition.actions, limits: definition.limits(wiring) }
    : { ...common, actions: {}, limits: { longestRunMs: 0, minimumOffMs: 0 } };
}
