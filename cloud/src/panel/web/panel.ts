import { ProblemError } from '@ares/protocol';
import { allItems, type Client, contract, createClient } from '@ares/protocol/http';
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { StreamEvent } from './event-parser.ts';
import { emptyFleet, type Fleet, type FleetAction, reduceFleet } from './fleet.ts';
import { problemText } from './format.ts';
import { type LiveStream, openLiveStream } from './live-stream.ts';
import { forgetSession, loadSession, type SignedIn, saveSession } from './session.ts';
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

  const accessToken = () => account.get().signedIn?.accessToken;
  const client = createClient({
    baseUrl: '',
    accessToken,
    async fetch(url, init) {
      const asked = accessToken();
      const response = await fetch(url, { ...init, cache: 'no-store', credentials: 'omit' });
      if (response.status === 401 && asked !== undefined && asked === accessToken()) {
        panel.signOut('Your session has ended. Sign in again.');
      }
      return response;
    },
  });

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
      fetch: (url, init) => fetch(url, { ...init, credentials: 'omit' }),
      url: contract.events.path,
      accessToken,
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
      account.send({ signedIn: saveSession(storage, session, Date.now()) });
      begin();
    },
    signOut(notice) {
      stream?.stop();
      stream = undefined;
      forgetSession(storage);
      fleet.send({ kind: 'reset' });
      account.send(notice === undefined ? {} : { notice });
    },
    async reload() {
      const asked = accessToken();
      try {
        const devices = await allItems((cursor) => client.listDevices({ query: { cursor, limit: 200 } }));
        if (asked === accessToken()) fleet.send({ kind: 'listed', devices });
      } catch (error) {
        if (asked === accessToken()) fleet.send({ kind: 'list-failed', why: problemText(error) });
      }
    },
    async reloadState(deviceUuid) {
      const asked = accessToken();
      try {
        const state = await client.state({ params: { id: deviceUuid } });
        if (asked === accessToken()) fleet.send({ kind: 'state', state });
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
