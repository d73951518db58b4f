import {
  type CpuSample,
  type Dht22Answer,
  DriverError,
  type Hardware,
  type InputLine,
  type OutputLine,
  type PwmLine,
} from '@ares/hardware-drivers';
import type { HardwareCall } from '../ports/drivers-child.ts';

/** Hardware whose lines the agent opens: what it looks like to a driver in the process for drivers by others. */
export interface RemoteHardware {
  readonly hardware: Hardware;
  /** A line that is watched has changed. */
  edge(line: number, on: boolean): void;
}

/** @param call asks the agent; rejects with the errors of the real hardware */
export function createRemoteHardware(
  call: (request: HardwareCall, signal?: AbortSignal) => Promise<unknown>,
): RemoteHardware {
  const watchers = new Map<number, Set<(on: boolean) => void>>();
  const common = (line: number, bcm: number) => {
    const close = async () => {
      watchers.delete(line);
      await call({ do: 'close', line });
    };
    return { bcm, close, [Symbol.asyncDispose]: close };
  };
  const read = (line: number) => async () => (await call({ do: 'read-line', line })) as boolean;
  const hardware: Hardware = {
    name: 'hardware of the agent',
    gpio: {
      openOutput: async (bcm, { initial = false } = {}): Promise<OutputLine> => {
        const opened = await call({ do: 'open-output', bcm, initial });
        const { line, guardPath, guardSafeValue } = opened as Pick<
          OutputLine,
          'guardPath' | 'guardSafeValue'
        > & {
          line: number;
        };
        const write = async (on: boolean) => void (await call({ do: 'write', line, on }));
        return { ...common(line, bcm), read: read(line), guardPath, guardSafeValue, write };
      },
      openInput: async (bcm, options = {}): Promise<InputLine> => {
        const { line } = (await call({ do: 'open-input', bcm, options })) as { line: number };
        return {
          ...common(line, bcm),
          read: read(line),
          watch: (onChange) => {
            const all = watchers.get(line) ?? new Set();
            // The line may be closed meanwhile; then there is nothing to watch.
            if (all.size === 0) call({ do: 'watch', line }).catch(() => undefined);
            watchers.set(line, all.add(onChange));
            return () => {
              all.delete(onChange);
              if (all.size === 0) call({ do: 'unwatch', line }).catch(() => undefined);
            };
          },
        };
      },
      safeOutput: () => missing('safe outputs: the agent keeps them'),
    },
    pwm: {
      open: async (bcm, { frequencyHz }): Promise<PwmLine> => {
        const { line } = (await call({ do: 'open-pwm', bcm, frequencyHz })) as { line: number };
        return {
          ...common(line, bcm),
          setShare: async (share) => void (await call({ do: 'set-share', line, share })),
          share: async () => (await call({ do: 'read-share', line })) as number,
        };
      },
      safeOutput: () => missing('safe outputs: the agent keeps them'),
    },
    dht22Bus: {
      query: async (bcm, signal): Promise<Dht22Answer> => {
        const answer = (await call({ do: 'query-dht22', bcm }, signal)) as Dht22Answer;
        return answer.kind === 'frame' ? { kind: 'frame', bytes: Uint8Array.from(answer.bytes) } : answer;
      },
    },
    adc: {
      readRatio: async (channel, signal) => (await call({ do: 'read-adc', channel }, signal)) as number,
    },
    cpu: { sample: async () => (await call({ do: 'sample-cpu' })) as CpuSample },
  };
  return {
    hardware,
    edge: (line, on) => {
      for (const watcher of watchers.get(line) ?? []) watcher(on);
    },
  };
}

function missing(what: string): never {
  throw new DriverError('HARDWARE_MISSING', `a driver by others has no ${what}`);
}
