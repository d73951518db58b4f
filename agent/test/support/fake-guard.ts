import type { SafeOutput } from '@ares/hardware-drivers';
import type { FakeGpio } from '@ares/hardware-drivers/testing';
import type { Clock } from '../../src/ports/clock.ts';
import { type Guard, GuardError } from '../../src/ports/guard.ts';

/** The guard in this process, on the fake lines: what it is asked, and a guard that can be lost. */
export interface FakeGuard extends Guard {
  readonly calls: string[];
  /** Leases that run now, by owner. */
  readonly armed: ReadonlyMap<string, number>;
  lose(): void;
  comeBack(): void;
}

export function createFakeGuard(options: { gpio: FakeGpio; clock: Clock }): FakeGuard {
  const { gpio, clock } = options;
  const calls: string[] = [];
  const armed = new Map<string, number>();
  const cancels = new Map<string, () => void>();
  const listeners = new Set<() => void>();
  let available = true;
  const write = (outputs: readonly SafeOutput[]) => {
    for (const { bcm, safeValue } of outputs) gpio.drive(bcm, safeValue);
  };
  const end = (id: string) => {
    cancels.get(id)?.();
    cancels.delete(id);
    armed.delete(id);
  };
  const assertThere = () => {
    if (!available) throw new GuardError('GUARD_UNAVAILABLE', 'the fake guard is gone');
  };
  return {
    calls,
    armed,
    start: async () => undefined,
    available: () => available,
    protect: async (id, outputs) => {
      assertThere();
      calls.push(`protect ${id}`);
      write(outputs);
    },
    release: async (id) => {
      calls.push(`release ${id}`);
      end(id);
    },
    arm: async (id, leaseMs, outputs) => {
      assertThere();
      end(id);
      calls.push(`arm ${id} ${leaseMs}`);
      armed.set(id, leaseMs);
      cancels.set(
        id,
        clock.after(leaseMs, () => {
          armed.delete(id);
          calls.push(`expired ${id}`);
          write(outputs);
        }),
      );
    },
    disarm: async (id) => {
      calls.push(`disarm ${id}`);
      end(id);
    },
    makeSafe: async (outputs) => {
      calls.push('makeSafe');
      write(outputs);
    },
    onLost: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    stop: async () => {
      available = false;
    },
    lose: () => {
      available = false;
      for (const listener of listeners) listener();
    },
    comeBack: () => {
      available = true;
    },
  };
}
