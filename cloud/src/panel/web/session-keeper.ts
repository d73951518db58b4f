import { ProblemError } from '@ares/protocol';
import type { SignedIn } from './session.ts';
import type { Session } from './types.ts';

/** An access token is exchanged so long before it ends. */
const EARLY_MS = 30_000;

type Exchanged = { readonly from: string; readonly session: Session };

export interface SessionKeeperPorts {
  readonly now: () => number;
  readonly held: () => SignedIn | undefined;
  /** @throws {ProblemError} TOKEN_INVALID when the session has ended */
  readonly refresh: (refreshToken: string) => Promise<Session>;
  /** Keeps the new tokens. */
  readonly keep: (session: Session) => void;
  readonly ended: () => void;
  /** One tab at a time: a tab that was duplicated has the same tokens. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
  readonly tell: (exchanged: Exchanged) => void;
}

/** Keeps the access token of a session fresh, whoever asks for it. */
export interface SessionKeeper {
  /** An access token that holds for a while; `undefined` when nobody is signed in (any more). */
  freshToken(): Promise<string | undefined>;
  /** The server did not take this token: the next one is exchanged, unless that has happened. */
  refused(accessToken: string): Promise<string | undefined>;
  /** Another tab with the same tokens exchanged them. */
  heard(exchanged: Exchanged): void;
  /** Whether the token is at its end. */
  isStale(): boolean;
}

export function createSessionKeeper(ports: SessionKeeperPorts): SessionKeeper {
  const { now, held, refresh, keep, ended, alone, tell } = ports;
  let exchanging: Promise<void> | undefined;

  const exchange = async (before: string): Promise<void> => {
    const signedIn = held();
    if (signedIn === undefined || signedIn.accessToken !== before) return;
    const from = signedIn.refreshToken;
    try {
      const session = await refresh(from);
      if (held()?.refreshToken !== from) return;
      keep(session);
      tell({ from, session });
    } catch (error) {
      // Anything else passes: the server is away, or there were too many requests.
      if (!(error instanceof ProblemError) || error.code !== 'TOKEN_INVALID') throw error;
      if (held()?.refreshToken === from) ended();
    }
  };
  const renew = async (before: string): Promise<string | undefined> => {
    exchanging ??= alone(() => exchange(before)).finally(() => {
      exchanging = undefined;
    });
    await exchanging;
    return held()?.accessToken;
  };
  const isStale = (): boolean => {
    const signedIn = held();
    return signedIn !== undefined && signedIn.expiresAt - now() < EARLY_MS;
  };

  return {
    isStale,
    async freshToken() {
      const signedIn = held();
      if (signedIn === undefined || !isStale()) return signedIn?.accessToken;
      return renew(signedIn.accessToken);
    },
    refused: (accessToken) => renew(accessToken),
    heard({ from, session }) {
      if (held()?.refreshToken === from) keep(session);
    },
  };
}
