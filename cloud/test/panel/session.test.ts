import { describe, expect, it } from 'vitest';
import { forgetSession, isAdministrator, loadSession, saveSession } from '../../src/panel/web/session.ts';
import type { Session } from '../../src/panel/web/types.ts';

const user = {
  userId: 'u',
  email: 'owner@example.org',
  emailVerified: true,
  roles: [],
  displayName: null,
  locale: null,
  timeZone: null,
  notifications: { signIn: false, alerts: true },
  createdAt: '2030-01-01T00:00:00Z',
};
const session: Session = {
  accessToken: 'token',
  tokenType: 'Bearer',
  expiresInSeconds: 60,
  refreshToken: 'for one use',
  refreshExpiresInSeconds: 3_600,
  user,
};
function tabStorage() {
  const items = new Map<string, string>();
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
}

describe('the session of a tab', () => {
  it('survives a reload until its refresh token ends', () => {
    const storage = tabStorage();
    saveSession(storage, session, 1_000);
    expect(loadSession(storage, 3_600_999)).toMatchObject({ accessToken: 'token', user, expiresAt: 61_000 });
    expect(loadSession(storage, 3_601_000)).toBeUndefined();
  });

  it('is gone after signing out', () => {
    const storage = tabStorage();
    saveSession(storage, session, 0);
    forgetSession(storage);
    expect(loadSession(storage, 0)).toBeUndefined();
  });

  it('works without storage, and ignores what is not a session', () => {
    const forbidden = {
      getItem: () => {
        throw new Error('denied');
      },
      setItem: () => {
        throw new Error('denied');
      },
      removeItem: () => {
        throw new Error('denied');
      },
    };
    expect(saveSession(forbidden, session, 0).accessToken).toBe('token');
    expect(loadSession(forbidden, 0)).toBeUndefined();
    expect(() => forgetSession(forbidden)).not.toThrow();
    const storage = tabStorage();
    for (const other of ['{"accessToken":1}', '{"accessToken":"of an older panel","expiresAt":9e15}']) {
      storage.setItem('ares.session', other);
      expect(loadSession(storage, 0)).toBeUndefined();
    }
  });
});

describe('administrators', () => {
  it('are the two system roles, not a developer', () => {
    const withRoles = (...roles: string[]) => isAdministrator({ ...user, roles });
    expect([
      withRoles(),
      withRoles('developer'),
      withRoles('general_admin'),
      withRoles('prime_admin'),
    ]).toEqual([false, false, true, true]);
  });
});
