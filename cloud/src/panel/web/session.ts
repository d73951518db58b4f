import type { Session, User } from './types.ts';

/** Who is signed in, and until when (epoch ms). */
export interface SignedIn {
  readonly accessToken: string;
  readonly user: User;
  /** Of the access token. */
  readonly expiresAt: number;
  /** For one use: exchanged for new tokens. */
  readonly refreshToken: string;
  /** When the session ends if it is not used. */
  readonly endsAt: number;
}

/** The part of `sessionStorage` that is used. */
export type TabStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const KEY = 'ares.session';

/**
 * The tokens live in `sessionStorage`: they survive a reload, end with the tab, are not shared with other tabs and
 * are never sent by the browser on its own, so no other site can use them (CSRF). A script that runs in this page
 * could read them, and could as well act through the page; against that stands the content security policy.
 * `localStorage` would keep them on a shared computer after the tab is closed, and a cookie would need CSRF tokens.
 */
export function loadSession(storage: TabStorage, now: number): SignedIn | undefined {
  try {
    const held = JSON.parse(storage.getItem(KEY) ?? 'null') as SignedIn | null;
    if (held === null || typeof held.accessToken !== 'string' || typeof held.refreshToken !== 'string') {
      return undefined;
    }
    if (held.endsAt > now) return held;
  } catch {
    // Unreadable or forbidden storage is no session.
  }
  return undefined;
}

export function saveSession(storage: TabStorage, session: Session, now: number): SignedIn {
  const held = {
    accessToken: session.accessToken,
    user: session.user,
    expiresAt: now + session.expiresInSeconds * 1_000,
    refreshToken: session.refreshToken,
    endsAt: now + session.refreshExpiresInSeconds * 1_000,
  };
  try {
    storage.setItem(KEY, JSON.stringify(held));
  } catch {
    // Without storage the session ends with a reload; everything else works.
  }
  return held;
}

export function forgetSession(storage: TabStorage): void {
  try {
    storage.removeItem(KEY);
  } catch {
    // Nothing was stored then.
  }
}

/** Whether the person may see and register every device. */
export const isAdministrator = (user: User): boolean =>
  user.roles.some((role) => role === 'prime_admin' || role === 'general_admin');
