import { describe, expect, it } from 'vitest';
import { attached, relay, startDriversBench } from '../support/drivers-bench.ts';
import { until } from '../support/fake-clock.ts';

const WITHIN_MS = 15_000;
const LINE = 5;
const allowed = () => undefined;

/** A relay by others that is on at the low level. */
async function relayBench(config: Record<string, unknown> = {}) {
  const bench = await startDriversBench({ 'relay-x': relay }, { answerWithinMs: 1_500 });
  // Before its driver comes the line stands at the level that means on.
  await bench.attach([attached(7, 'relay-x', { line: LINE }, config)]);
  const actuator = () => bench.set.get(7)?.actuator;
  await until('the relay is there', () => actuator() !== undefined, WITHIN_MS);
  const on = () => bench.hardware.gpio.level(LINE) === '0';
  const order = (args: unknown) => {
    const there = actuator()!;
    return there.run(there.check('on', args), allowed);
  };
  return { ...bench, actuator, on, order };
}

describe('an actuator by others', () => {
  it('is off from the start, goes on with a lease of the guard, and off by the agent when it ends', async () => {
    const bench = await relayBench();
    expect(bench.on()).toBe(false);
    expect(bench.guard.calls).toContain('protect 7');
    const outcome = await bench.order({ durationMs: 400 });
    expect(outcome).toMatchObject({ outcome: 'COMPLETED', verified: true });
    expect(bench.on()).toBe(true);
    expect(bench.guard.calls).toContain('arm 7 400');
    await until('it went off', () => !bench.on());
  });

  it.each([
    [{}, 'ARGS_INVALID'],
    [{ durationMs: 60_001 }, 'RUN_TOO_LONG'],
    [{ durationMs: 1.5 }, 'ARGS_INVALID'],
  ])('is told by the agent itself that %j cannot be', async (args, code) => {
    const bench = await relayBench();
    expect(() => bench.actuator()!.check('on', args)).toThrow(expect.objectContaining({ code }));
    expect(() => bench.actuator()!.check('up', args)).toThrow(/has no action "up"; it has on, stop, off/);
  });

  it('refuses arguments that its driver does not know, and stays off', async () => {
    const bench = await relayBench();
    expect(await bench.order({ durationMs: 400, level: 'high' })).toMatchObject({
      outcome: 'REJECTED',
      code: 'BAD_ARGUMENTS',
    });
    expect(bench.on()).toBe(false);
  });

  it('is not switched on by its driver without an order', async () => {
    const bench = await relayBench({ fault: 'on by itself' });
    await until('the refusal', () => bench.reasons(7).some((text) => text.includes('only while an order')));
    expect(bench.on()).toBe(false);
  });

  it("gets no other line than its own, which is then another component's", async () => {
    const bench = await relayBench({ fault: 'foreign line' });
    await until('the refusal', () =>
      bench.reasons(7).some((text) => text.includes('GPIO 17 is not declared')),
    );
    expect(bench.hardware.gpio.openLines()).toEqual([LINE]);
  });

  it('is off as soon as the process of its driver is gone', async () => {
    const bench = await relayBench();
    await bench.order({ durationMs: 60_000 });
    expect(bench.on()).toBe(true);
    bench.processes[0]!.kill('a test');
    await until('it went off', () => !bench.on(), 1_000);
    await until('it is back', () => bench.status(7) === 'OK' && bench.processes.length === 2, WITHIN_MS);
    expect(bench.reasons(7).join()).toContain('a test');
    expect(bench.on()).toBe(false);
  });

  it('obeys a stop past its driver when that blocks, within the second', async () => {
    const bench = await relayBench({ fault: 'block' });
    const running = bench.order({ durationMs: 60_000 });
    await until('it is on', () => bench.on());
    const stopped = await bench.actuator()!.makeSafe('stop');
    expect(stopped).toMatchObject({
      outcome: 'COMPLETED',
      detail: expect.stringContaining('past the driver'),
    });
    expect(bench.on()).toBe(false);
    await running;
    await until('its process was ended', () => bench.processes.length > 1, WITHIN_MS);
    expect(bench.on()).toBe(false);
  });
});
