import { ProblemError } from '@ares/protocol';
import { allItems, type Client, contract, createClient } from '@ares/protocol/http';
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { StreamEvent } from './event-parser.ts';
import { emptyFleet, type Fleet, type FleetAction, reduceFleet } from './fleet.ts';
import { problemText } from './format.ts';
import { type LiveStream, openLiveStream } from './live-stream.ts';
import { forgetSession, loadSession, type SignedIn, saveSession } from './session.ts';
import { createSessionKeeper } from './session-keeper.ts';
import { createStore, type Store } from './store.ts';
import type { Session } from './types.ts';

/** Signed in, or not and perhaps why not. */
export type Account =
  | { readonly signedIn: SignedIn; readonly notice?: undefined }
  | { readonly signedIn?: undefined; readonly notice?: string };

/** What every screen may use. */
export interface Panel {
  readonly client: Client;
  readonly account: Store<Account, Account>;
  readonly fleet: Store<Fleet, FleetAction>;
  signIn(session: Session): void;
  signOut(notice?: string): void;
  /** Asks for the list of devices anew. */
  reload(): Promise<void>;
  /** Asks for the state of one device anew. @throws {ProblemError} */
  reloadState(deviceUuid: string): Promise<void>;
  /** Tries to reconnect now. */
  nudge(): void;
}

/** So many states are asked for when a connection begins; the stream tells the others as they change. */
const MOST_STATES_AT_ONCE = 24;

export function createPanel(): Panel {
  const storage = window.sessionStorage;
  const held = loadSession(storage, Date.now());
  const account = createStore<Account, Account>(held ? { signedIn: held } : {}, (_, next) => next);
  const fleet = createStore(emptyFleet, reduceFleet);
  let stream: LiveStream | undefined;

  const whose = () => account.get().signedIn?.user.userId;
  const keep = (session: Session) => account.send({ signedIn: saveSession(storage, session, Date.now()) });
  const tabs = new BroadcastChannel('ares.session');
  const keeper = createSessionKeeper({
    now: () => Date.now(),
    held: () => account.get().signedIn,
    refresh: (refreshToken) => anonymous.refresh({ body: { refreshToken } }),
    keep,
    ended: () => panel.signOut('Your session has ended. Sign in again.'),
    // Only pages that came by https, or from this machine, have locks.
    alone: (work) => ('locks' in navigator ? navigator.locks.request('ares.session', work) : work()),
    tell: (exchanged) => tabs.postMessage(exchanged),
  });
  tabs.addEventListener('message', ({ data }) => keeper.heard(data));

  const anonymous = createClient({
    baseUrl: '',
    fetch: (url, init) => fetch(url, { ...init, cache: 'no-store', credentials: 'omit' }),
  });
  /** With a token that holds; once more with a new one where the server does not take it. */
  const signedFetch = async <I extends { headers: Record<string, string> }>(url: string, init: I) => {
    const send = (token: string | undefined) =>
      fetch(url, {
        ...init,
        cache: 'no-store',
        credentials: 'omit',
        headers: { ...init.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      });
    const token = await keeper.freshToken();
    const response = await send(token);
    if (response.status !== 401 || token === undefined) return response;
    const next = await keeper.refused(token);
    return next === undefined || next === token ? response : send(next);
  };
  const client = createClient({ baseUrl: '', fetch: signedFetch });

  const receive = ({ data }: StreamEvent) => {
    const parsed = parseJson(data);
    const state = contract.state.success[200].safeParse(parsed);
    if (!state.success) {
      // Some other notice about a device (claimed, given away): look up what is true now.
      if (hasUuid(parsed)) void panel.reload();
      return;
    }
    fleet.send({ kind: 'state', state: state.data });
    if (fleet.get().devices?.has(state.data.deviceUuid) === false) void panel.reload();
  };

  const open = () => {
    stream?.stop();
    stream = openLiveStream({
      fetch: signedFetch,
      url: contract.events.path,
      isPlannedEnd: keeper.isStale,
      timers: {
        now: () => Date.now(),
        after: (ms, then) => {
          const timer = setTimeout(then, ms);
          return () => clearTimeout(timer);
        },
      },
      random: Math.random,
      onEvent: receive,
      onLink: (link) => {
        fleet.send({ kind: 'link', link, at: Date.now() });
        // What changed while nobody listened has to be asked for.
        if (link.phase === 'live') void panel.reload().then(loadStates);
      },
      onUnauthorized: () => panel.signOut('Your session has ended. Sign in again.'),
    });
  };

  const loadStates = async () => {
    const uuids = [...(fleet.get().devices?.values() ?? [])]
      .filter(({ lifeCycle }) => lifeCycle === 'ACTIVE')
      .slice(0, MOST_STATES_AT_ONCE)
      .map(({ deviceUuid }) => deviceUuid);
    await Promise.allSettled(uuids.map((uuid) => panel.reloadState(uuid)));
  };

  const panel: Panel = {
    client,
    account,
    fleet,
    signIn(session) {
      keep(session);
      begin();
    },
    signOut(notice) {
      stream?.stop();
      stream = undefined;
      const refreshToken = account.get().signedIn?.refreshToken;
      // Whoever signs out is signed out here, also when the server does not hear it.
      if (refreshToken !== undefined && notice === undefined) {
        anonymous.logout({ body: { refreshToken } }).catch(() => undefined);
      }
      forgetSession(storage);
      fleet.send({ kind: 'reset' });
      account.send(notice === undefined ? {} : { notice });
    },
    async reload() {
      const asked = whose();
      try {
        const devices = await allItems((cursor) => client.listDevices({ query: { cursor, limit: 200 } }));
        if (asked === whose()) fleet.send({ kind: 'listed', devices });
      } catch (error) {
        if (asked === whose()) fleet.send({ kind: 'list-failed', why: problemText(error) });
      }
    },
    async reloadState(deviceUuid) {
      const asked = whose();
      try {
        const state = await client.state({ params: { id: deviceUuid } });
        if (asked === whose()) fleet.send({ kind: 'state', state });
      } catch (error) {
        if (error instanceof ProblemError && error.code === 'NOT_FOUND') void panel.reload();
        throw error;
      }
    },
    nudge: () => stream?.nudge(),
  };

  const begin = () => {
    open();
    // The list does not wait for the stream.
    void panel.reload();
  };
  if (held !== undefined) begin();
  window.addEventListener('online', () => panel.nudge());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') panel.nudge();
  });
  return panel;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const hasUuid = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'deviceUuid' in value;

export const PanelContext = createContext<Panel | undefined>(undefined);

export function usePanel(): Panel {
  const panel = useContext(PanelContext);
  if (panel === undefined) throw new TypeError('No panel around this component.');
  return panel;
}

/** The present time, once per `everyMs`. */
export function useNow(everyMs = 1_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export type Attempt =
  | { readonly phase: 'idle' }
  | { readonly phase: 'busy' }
  | { readonly phase: 'failed'; readonly why: string };

/** One call at a time, with what a form shows of it. `true` when the call succeeded. */
export function useAttempt(): [Attempt, (call: () => Promise<unknown>) => Promise<boolean>] {
  const [attempt, setAttempt] = useState<Attempt>({ phase: 'idle' });
  const run = async (call: () => Promise<unknown>) => {
    setAttempt({ phase: 'busy' });
    try {
      await call();
      setAttempt({ phase: 'idle' });
      return true;
    } catch (error) {
      setAttempt({ phase: 'failed', why: problemText(error) });
      return false;
    }
  };
  return [attempt, run];
}
