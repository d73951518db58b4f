import { expect, it } from 'vitest';
import { IdentityError } from '../../src/identity/errors.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { createPulse } from '../../src/ports/pulse.ts';
import { awaitFoundation, type Waiting } from '../../src/service/foundation.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';

function waitingFor(lay: () => void) {
  const clock = createFakeClock();
  const pulse = createPulse({ clock });
  const stop = new AbortController();
  const said: Waiting['state'][] = [];
  const done = awaitFoundation({
    lay,
    clock,
    logger: silentLogger,
    pulse,
    signal: stop.signal,
    onWaiting: ({ state }) => said.push(state),
  });
  return { clock, pulse, stop, said, done };
}

it('goes on at once when nothing is missing, and says nothing', async () => {
  const { said, done } = waitingFor(() => undefined);
  expect(await done).toBe(true);
  expect(said).toEqual([]);
});

it('says once what is missing, each time it is something else, and goes on when it is there', async () => {
  let problem: IdentityError | undefined = new IdentityError('TRUST_MISSING', 'There is none.');
  const { clock, pulse, said, done } = waitingFor(() => {
    if (problem !== undefined) throw problem;
  });
  await clock.advance(600_000);
  expect(said).toEqual(['WAITING_FOR_TRUST']);
  expect(pulse.overdue()).toEqual([]);
  problem = new IdentityError('TRUST_INVALID', 'It is damaged.');
  await clock.advance(10_000);
  expect(said).toEqual(['WAITING_FOR_TRUST', 'NEEDS_REPAIR']);
  problem = undefined;
  await clock.advance(10_000);
  expect(await done).toBe(true);
  await clock.advance(600_000);
  expect(pulse.overdue()).toEqual([]);
});

it('ends with the signal', async () => {
  const { stop, done } = waitingFor(() => {
    throw new IdentityError('TRUST_MISSING', 'There is none.');
  });
  await settle();
  stop.abort();
  expect(await done).toBe(false);
});

it('hands on what no file of people can mend', async () => {
  const { done } = waitingFor(() => {
    throw new TypeError('a mistake of the program');
  });
  await expect(done).rejects.toThrow('a mistake of the program');
});
