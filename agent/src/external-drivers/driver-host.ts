import { type DriverContext, DriverError } from '@ares/hardware-drivers';
import type { AttachedComponent } from '@ares/protocol';
import { type Clock, delay } from '../ports/clock.ts';
import type { DriverSource } from '../ports/driver-source.ts';
import type {
  DriverCall,
  DriverDescription,
  DriversChannel,
  DriversProcess,
  FromDriversChild,
} from '../ports/drivers-child.ts';
import type { Logger } from '../ports/logger.ts';
import { Blame, type BlameConfig, defaultBlameConfig } from './blame.ts';
import { Calls } from './calls.ts';
import { answerOf } from './carried-error.ts';
import { type CalledInstance, describedDriver } from './described-driver.ts';
import { GrantedHardware } from './granted-hardware.ts';
import { parseDescription, parseHardwareCall, parseMeasurements } from './messages.ts';

export interface DriverHostConfig extends BlameConfig {
  /** How often the process is asked whether it still turns. */
  readonly pingEveryMs: number;
  /** A process that has not answered for so long is ended. */
  readonly answerWithinMs: number;
  /** The same for its first answer, before which it loads itself. */
  readonly startWithinMs: number;
  /** Resident memory that it may take, bytes. */
  readonly mostMemory: number;
  /** A driver that is told to stop may use its lines for so long. */
  readonly stopWithinMs: number;
  /** It is kept for so long after the last driver has left. */
  readonly lingerMs: number;
}

export const defaultDriverHostConfig: DriverHostConfig = {
  ...defaultBlameConfig,
  pingEveryMs: 2_000,
  answerWithinMs: 10_000,
  startWithinMs: 30_000,
  mostMemory: 192 * 1_024 * 1_024,
  stopWithinMs: 1_000,
  lingerMs: 5_000,
};

export interface DriverHost extends DriverSource {
  /** Ends the process, if there is one. */
  close(): Promise<void>;
}

/** One life of one component's driver over there. */
interface Life {
  readonly key: string;
  readonly granted: GrantedHardware;
  readonly context: DriverContext;
  readonly lose: (error: DriverError) => void;
}

/** One life of the process. */
interface Running {
  readonly channel: DriversChannel;
  readonly calls: Calls<DriverCall>;
  /** Whose calls wait for an answer, and whose code was entered and not left. */
  readonly callers: Map<number, string>;
  readonly entered: Map<number, string>;
  readonly hardwareCalls: Map<number, AbortController>;
}

/**
 * Drivers by others, in one process for all of them beside the agent: started with the first component of such a
 * type, ended after the last. What a driver does to its process is its components' `ERROR` and nobody else's; see
 * `Blame` for how the one is found that does it to the others.
 */
export function createDriverHost(ports: {
  readonly process: DriversProcess;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config?: Partial<DriverHostConfig>;
}): DriverHost {
  const { clock, logger } = ports;
  const config = { ...defaultDriverHostConfig, ...ports.config };
  const blame = new Blame(clock, config);
  const lives = new Map<number, Life>();
  let running: Running | undefined;
  let lastInstance = 0;
  let loading = 0;
  let closed = false;
  let cancelIdle: () => void = () => undefined;

  const open = (): Running => {
    if (running !== undefined) return running;
    if (closed) throw new DriverError('DRIVER_ENDED', 'the agent is stopping');
    const channel = ports.process.open();
    const child: Running = {
      channel,
      calls: new Calls<DriverCall>((message) => channel.send(message)),
      callers: new Map(),
      entered: new Map(),
      hardwareCalls: new Map(),
    };
    running = child;
    channel.onMessage((message) => onMessage(child, message));
    const cancelWatch = watch(child);
    void channel.closed.then((reason) => {
      cancelWatch();
      onEnd(child, reason);
    });
    logger.info('process of drivers by others started');
    return child;
  };

  /** Ends a process that does not turn any more or has grown too large. */
  let onPong: () => void = () => undefined;
  const watch = (child: Running): (() => void) => {
    let answeredAt = clock.monotonicMs();
    let limitMs = config.startWithinMs;
    let cancel: () => void = () => undefined;
    onPong = () => {
      answeredAt = clock.monotonicMs();
      limitMs = config.answerWithinMs;
      blame.alive();
    };
    const look = () => {
      if (clock.monotonicMs() - answeredAt > limitMs)
        return child.channel.kill(`it did not answer for ${limitMs} ms`);
      if (child.channel.residentBytes() > config.mostMemory)
        return child.channel.kill(
          `it took more than ${Math.round(config.mostMemory / 1_048_576)} MB of memory`,
        );
      child.channel.send({ type: 'ping' });
      cancel = clock.after(config.pingEveryMs, look);
    };
    look();
    return () => cancel();
  };

  const onEnd = (child: Running, reason: string) => {
    if (running === child) running = undefined;
    const started = [...new Set([...child.callers.values(), ...[...lives.values()].map(({ key }) => key)])];
    // Of a call that nobody waited for any more it is not known whose it was.
    const inside = [...child.entered.values()].at(-1) || undefined;
    // Told also of an end that nobody was there for: a trial is over with the process that it ran in.
    const culprit = blame.ended({ running: inside, started });
    if (started.length > 0) logger.error('process of drivers by others ended', { reason, culprit });
    const errorFor = (key: string) =>
      new DriverError(
        'DRIVER_ENDED',
        key === culprit
          ? `its driver brought down the process of drivers by others: ${reason}`
          : `the process of drivers by others ended: ${reason}`,
      );
    child.calls.end(errorFor(''));
    for (const call of child.hardwareCalls.values()) call.abort(errorFor(''));
    for (const [instance, life] of lives) {
      lives.delete(instance);
      // Off at once, whatever the driver had it at; its component finds the guard's help if this fails.
      void life.granted.close();
      life.lose(errorFor(life.key));
    }
  };

  const onMessage = (child: Running, message: FromDriversChild) => {
    switch (message.type) {
      case 'entered':
        child.entered.set(message.id, child.callers.get(message.id) ?? '');
        return;
      case 'left':
        child.entered.delete(message.id);
        return;
      case 'answer':
        child.entered.delete(message.id);
        return child.calls.settle(message.id, message.answer);
      case 'pong':
        return onPong();
      case 'call':
        return void serve(child, message);
      case 'abort':
        return child.hardwareCalls.get(message.id)?.abort();
      case 'log':
        return lives.get(message.instance)?.context.logger[message.level](message.message, message.fields);
      case 'fault': {
        const life = lives.get(message.instance);
        if (life === undefined) return;
        blame.fault(life.key);
        return life.lose(
          new DriverError('DRIVER_ENDED', `its driver failed outside of a call: ${message.reason}`),
        );
      }
    }
  };

  const serve = async (child: Running, { id, instance, call }: FromDriversChild & { type: 'call' }) => {
    const abort = new AbortController();
    child.hardwareCalls.set(id, abort);
    const answer = await answerOf(async () => {
      const life = lives.get(instance);
      if (life === undefined) throw new DriverError('NOT_RUNNING', 'the component was stopped');
      return await life.granted.handle(parseHardwareCall(call), abort.signal);
    });
    child.hardwareCalls.delete(id);
    child.channel.send({ type: 'answer', id, answer });
  };

  const ask = async (child: Running, key: string, call: DriverCall, signal?: AbortSignal) => {
    let sent = 0;
    const onSent = (id: number) => {
      sent = id;
      child.callers.set(id, key);
    };
    try {
      return await child.calls.call(call, { signal, onSent });
    } finally {
      child.callers.delete(sent);
    }
  };

  const endWhenIdle = () => {
    cancelIdle();
    cancelIdle = clock.after(config.lingerMs, () => {
      const child = running;
      if (child !== undefined && lives.size === 0 && loading === 0) child.channel.kill('no driver uses it');
    });
  };

  const create = (
    key: string,
    component: AttachedComponent,
    description: DriverDescription,
    context: DriverContext,
  ): CalledInstance => {
    const instance = ++lastInstance;
    const lost = Promise.withResolvers<DriverError>();
    const granted = new GrantedHardware({
      hardware: context.hardware,
      clock: context.clock,
      pins: description.pins,
      onEdge: (line, on) => running?.channel.send({ type: 'edge', instance, line, on }),
    });
    const call = (task: DriverCall, signal?: AbortSignal) => {
      const child = running;
      if (child === undefined || !lives.has(instance))
        throw new DriverError('NOT_RUNNING', 'the driver is not started');
      return ask(child, key, task, signal);
    };
    const life: Life = { key, granted, context, lose: lost.resolve };
    const stop = async () => {
      if (!lives.has(instance)) return;
      // A process that does not turn must not keep the lines from whoever comes next.
      const patience = delay(clock, config.stopWithinMs);
      try {
        await Promise.race([call({ do: 'stop', instance }), patience]);
      } finally {
        lives.delete(instance);
        blame.left(key);
        await granted.close();
        endWhenIdle();
      }
    };
    return {
      lost: lost.promise,
      start: async () => {
        const child = begin(key);
        lives.set(instance, life);
        await ask(child, key, { do: 'start', key, instance, component });
      },
      read: async (signal) =>
        parseMeasurements(
          description.type,
          description.metrics,
          await call({ do: 'read', instance }, signal),
        ),
      run: async (action, args, signal) => {
        const { durationMs = 0 } = args as { durationMs?: number };
        granted.allowOn(durationMs);
        await call({ do: 'run', instance, action, args }, signal);
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  };

  /** @throws {DriverError} DRIVER_SUSPENDED */
  const begin = (key: string): Running => {
    const refusal = blame.refusal(key);
    if (refusal !== undefined) throw new DriverError('DRIVER_SUSPENDED', refusal);
    const child = open();
    cancelIdle();
    blame.began(key);
    return child;
  };

  return {
    async load(type, component) {
      const key = JSON.stringify(component);
      const child = begin(key);
      loading++;
      try {
        const answer = await ask(child, key, { do: 'describe', key, component });
        const description = parseDescription(type, answer);
        return describedDriver(description, (context) => create(key, component, description, context));
      } finally {
        loading--;
        endWhenIdle();
      }
    },
    async close() {
      closed = true;
      cancelIdle();
      const child = running;
      if (child === undefined) return;
      await Promise.all([...lives.values()].map(({ granted }) => granted.close()));
      lives.clear();
      child.channel.kill('the agent is stopping');
      await child.channel.closed;
    },
  };
}
