import { describe, expect, it } from 'vitest';
import type { LifecycleRecord } from '../../src/lifecycle/lifecycle-store.ts';
import { createLifecycleRunner, type Happening, type StepExecutors } from '../../src/lifecycle/runner.ts';
import type { LifecycleStep } from '../../src/lifecycle/transitions.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

function world(start?: LifecycleRecord) {
  const journal: string[] = [];
  let saved = start;
  let running = 0;
  let finish: (happening: Happening) => void = () => {};
  let fail: (cause: Error) => void = () => {};
  const execute = (step: LifecycleStep) => (signal: AbortSignal) =>
    new Promise<Happening | undefined>((resolve, reject) => {
      running += 1;
      expect(running, 'steps at the same time').toBe(1);
      journal.push(`begin ${step} as ${saved?.state ?? 'new'}`);
      const end = () => {
        running -= 1;
      };
      finish = (happening) => {
        end();
        resolve(happening);
      };
      fail = (cause) => {
        end();
        reject(cause);
      };
      // A step takes its time to end, as a session does that makes its outputs safe.
      signal.addEventListener('abort', () =>
        setImmediate(() => {
          journal.push(`end ${step}`);
          end();
          resolve(undefined);
        }),
      );
    });
  const names = [
    'await-claim',
    'provision',
    'operate',
    'await-recovery',
    'wait-while-blocked',
    'reset',
  ] as const;
  const executors = Object.fromEntries(
    names.map((name) => [name, execute(name)]),
  ) as unknown as StepExecutors;
  const clock = createFakeClock();
  const runner = createLifecycleRunner({
    store: {
      load: () => saved,
      save: (record) => {
        saved = record;
        journal.push(`save ${record.state}`);
      },
    },
    executors,
    clock,
    logger: silentLogger,
    onState: () => undefined,
  });
  return { runner, journal, clock, finish: (h: Happening) => finish(h), fail: (e: Error) => fail(e) };
}

const operating: LifecycleRecord = {
  v: 1,
  state: 'OPERATING',
  since: 5,
  why: 'works',
  cloud: { apiUrl: 'https://c', assignment: 4 },
};

describe('the runner', () => {
  it('saves a state before its step begins, and begins it when the one before has ended', async () => {
    const { runner, journal } = world();
    const done = runner.run();
    await settle();
    await runner.dispatch({ event: 'provision-requested', why: 'phone' });
    await settle();
    expect(journal).toEqual([
      'begin await-claim as new',
      'end await-claim',
      'save PROVISIONING',
      'begin provision as PROVISIONING',
    ]);
    await runner.stop();
    await done;
  });

  it('goes on in the saved state and keeps what it knows of the cloud', async () => {
    const { runner, journal } = world(operating);
    void runner.run();
    await settle();
    expect(journal).toEqual(['begin operate as OPERATING']);
    expect(runner.record()).toEqual(operating);
    await runner.stop();
  });

  it('changes nothing for an event that the state does not take', async () => {
    const { runner, journal } = world(operating);
    void runner.run();
    await settle();
    await expect(runner.dispatch({ event: 'provision-requested', why: 'phone' })).rejects.toMatchObject({
      code: 'NO_TRANSITION',
    });
    expect(journal).toEqual(['begin operate as OPERATING']);
    await runner.stop();
  });

  it('takes one of two events that come together and refuses the other', async () => {
    const { runner, journal } = world(operating);
    void runner.run();
    await settle();
    const results = await Promise.allSettled([
      runner.dispatch({ event: 'reset-requested', why: 'cli' }),
      runner.dispatch({ event: 'standing-blocked', why: 'cloud' }),
    ]);
    await settle();
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(journal.at(-1)).toBe('begin reset as RESETTING');
    await runner.stop();
  });

  it('tries a step again that fails without a word', async () => {
    const { runner, journal, clock, fail } = world(operating);
    void runner.run();
    await settle();
    fail(new Error('out of order'));
    await settle();
    await clock.advance(5_000);
    await settle();
    expect(journal).toEqual(['begin operate as OPERATING', 'begin operate as OPERATING']);
    await runner.stop();
  });

  it('follows what a step says', async () => {
    const { runner, finish } = world(operating);
    void runner.run();
    await settle();
    finish({ event: 'reset-requested', why: 'released' });
    await settle();
    finish({ event: 'reset-done', why: 'forgotten', cloud: null });
    await settle();
    expect(runner.record()).toMatchObject({ state: 'UNPROVISIONED', why: 'forgotten', cloud: null });
    await runner.stop();
  });
});
