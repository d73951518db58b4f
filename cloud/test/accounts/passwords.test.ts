import { ProblemError } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { createPasswordHasher } from '../../src/accounts/passwords.ts';

const hasher = createPasswordHasher();

describe('a password', () => {
  it('is kept as argon2id with its cost and its own salt', async () => {
    const [one, two] = await Promise.all([hasher.hash('same'), hasher.hash('same')]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one).not.toBe(two);
    expect(await hasher.verify('same', one)).toBe(true);
    expect(await hasher.verify('Same', one)).toBe(false);
  });

  it('is the same in both spellings of an umlaut', async () => {
    const phc = await hasher.hash('gr\u00fcnes Haus');
    expect(await hasher.verify('gru\u0308nes Haus', phc)).toBe(true);
  });

  it('does not fit a hash whose cost was changed', async () => {
    const phc = await hasher.hash('password');
    expect(await hasher.verify('password', phc.replace('m=19456,t=2', 'm=19456,t=1'))).toBe(false);
  });

  it.each([
    '',
    'plain',
    '$2b$10$abcdefghijklmnopqrstuv',
    '$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$xx',
  ])('never fits the damaged hash "%s"', async (phc) => expect(await hasher.verify('', phc)).toBe(false));

  it('takes the same time for an account that does not exist', async () => {
    const phc = await hasher.hash('right');
    const time = async (stored: string | undefined) => {
      const times: number[] = [];
      for (let round = 0; round < 5; round += 1) {
        const startedAt = performance.now();
        expect(await hasher.verify('wrong', stored)).toBe(false);
        times.push(performance.now() - startedAt);
      }
      return Math.min(...times);
    };
    const known = await time(phc);
    const unknown = await time(undefined);
    expect(unknown).toBeGreaterThan(known * 0.5);
  });
});

describe('a flood of passwords', () => {
  it('is served a few at a time, and the rest is told to come back', async () => {
    const small = createPasswordHasher({ concurrent: 1, waiting: 2 });
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => small.hash('x')));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(refused).toHaveLength(3);
    for (const { reason } of refused) {
      expect(reason).toBeInstanceOf(ProblemError);
      expect(reason).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 3 });
    }
    expect(await small.hash('afterwards')).toMatch(/^\$argon2id/);
  });
});
