import { ProblemError } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import type { SignedIn } from '../../src/panel/web/session.ts';
import { createSessionKeeper } from '../../src/panel/web/session-keeper.ts';
import type { Session } from '../../src/panel/web/types.ts';

const user = {} as Session['user'];
const signedIn = (n: number): SignedIn => ({
  accessToken: `access ${n}`,
  refreshToken: `refresh ${n}`,
  user,
  expiresAt: 900_000 * (n + 1),
  endsAt: 1e9,
});

/** A tab that holds the session `0`; each exchange makes the next. */
function tab(answer: () => Promise<void> = async () => undefined) {
  let held: SignedIn | undefined = signedIn(0);
  let now = 0;
  const asked: string[] = [];
  const told: string[] = [];
  const keeper = createSessionKeeper({
    now: () => now,
    held: () => held,
    async refresh(refreshToken) {
      asked.push(refreshToken);
      await answer();
      return { accessToken: String(Number(refreshToken.split(' ')[1]) + 1) } as Session;
    },
    keep(session) {
      held = signedIn(Number(session.accessToken));
    },
    ended() {
      held = undefined;
    },
    alone: (work) => work(),
    tell: ({ from }) => void told.push(from),
  });
  return {
    keeper,
    asked,
    told,
    held: () => held,
    at(ms: number) {
      now = ms;
    },
  };
}

describe('the session of the panel', () => {
  it('uses its access token until shortly before its end, then exchanges it once for all who ask', async () => {
    const { keeper, asked, told, at } = tab();
    expect(await keeper.freshToken()).toBe('access 0');
    at(869_000);
    expect(await keeper.freshToken()).toBe('access 0');
    at(871_000);
    expect(await Promise.all([keeper.freshToken(), keeper.freshToken()])).toEqual(['access 1', 'access 1']);
    expect(asked).toEqual(['refresh 0']);
    expect(told).toEqual(['refresh 0']);
  });

  it('exchanges a token that the server did not take, once for all whom it refused', async () => {
    const { keeper, asked } = tab();
    expect(await Promise.all([keeper.refused('access 0'), keeper.refused('access 0')])).toEqual([
      'access 1',
      'access 1',
    ]);
    expect(await keeper.refused('access 0')).toBe('access 1');
    expect(asked).toEqual(['refresh 0']);
  });

  it('is over when the server says so', async () => {
    const { keeper, held } = tab(async () => {
      throw new ProblemError('TOKEN_INVALID', 'over');
    });
    expect(await keeper.refused('access 0')).toBeUndefined();
    expect(held()).toBeUndefined();
  });

  it('outlasts a server that does not answer', async () => {
    let away = true;
    const { keeper, held } = tab(async () => {
      if (away) throw new TypeError('fetch failed');
    });
    await expect(keeper.refused('access 0')).rejects.toThrow('fetch failed');
    expect(held()?.refreshToken).toBe('refresh 0');
    away = false;
    expect(await keeper.refused('access 0')).toBe('access 1');
  });

  it('takes what another tab with the same tokens was given, and nothing else', () => {
    const { keeper, held } = tab();
    keeper.heard({ from: 'refresh 7', session: { accessToken: '8' } as Session });
    expect(held()?.accessToken).toBe('access 0');
    keeper.heard({ from: 'refresh 0', session: { accessToken: '1' } as Session });
    expect(held()?.accessToken).toBe('access 1');
  });
});
