import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RateLimiters } from '../../cloud/src/ports/rate-limiter.ts';

/** What every counter of attempts must do, whatever it is made of. */
export function describeRateLimiters(name: string, make: () => RateLimiters): void {
  describe(name, () => {
    const limiterOf = (points: number, seconds = 60) =>
      make().limiter(randomUUID(), { points, seconds }, 'refuse');

    it('lets so many pass and says when to come again', async () => {
      const limiter = limiterOf(3);
      for (let i = 0; i < 3; i += 1) await limiter.consume('a');
      const refusal = await limiter.consume('a').catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
      expect((refusal as { retryAfterSeconds: number }).retryAfterSeconds).toBeGreaterThan(50);
      await limiter.consume('b');
    });

    it('counts what comes at once', async () => {
      const limiter = limiterOf(5);
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => limiter.consume('a')));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    });

    it('takes one back, and forgets', async () => {
      const limiter = limiterOf(1);
      await limiter.consume('a');
      await limiter.reward('a');
      await limiter.consume('a');
      await expect(limiter.consume('a')).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
      await limiter.delete('a');
      await limiter.consume('a');
    });

    it('keeps limits of other names apart, whatever the key holds', async () => {
      const limiters = make();
      const key = '10.0.0.1 a+b@example.org :*{}';
      for (const one of [randomUUID(), randomUUID()])
        await limiters.limiter(one, { points: 1, seconds: 60 }, 'refuse').consume(key);
    });
  });
}
