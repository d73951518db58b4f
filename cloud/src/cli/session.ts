import { ProblemError } from '@ares/protocol';
import { type AnswerOf, type Client, type Contract, createClient, type Fetch } from '@ares/protocol/http';
import { fetch } from 'undici';
import { CliError } from './cli-error.ts';
import { readCredentials, type SavedCredentials } from './home.ts';
import { type SavedSession, type SessionFile, sessionFile } from './saved-session.ts';

/** Whose eyes a command uses. */
export type Role = 'owner' | 'administrator';

/** A signed-in connection to the cloud, for as long as the command runs. */
export interface CliSession {
  readonly url: string;
  readonly client: Client;
  /** For fetch with `Authorization`, never a token in the address. */
  readonly headers: Readonly<Record<string, string>>;
  /** The same, with a token that holds for a while. */
  freshHeaders(): Promise<Readonly<Record<string, string>>>;
}

type Answer = AnswerOf<Contract['login']>;
type Tokens = Pick<SavedSession, 'accessToken' | 'expiresAt' | 'refreshToken'>;

/** An access token is exchanged so long before it ends. */
const EARLY_MS = 60_000;

const unreachable =
  (url: string): Fetch =>
  async (address, init) => {
    try {
      return await fetch(address, init);
    } catch (cause) {
      throw new CliError(`The cloud at ${url} does not answer. Is npm start running?`, { cause });
    }
  };

/** A client without an account, for `/auth`. */
export const anonymousClient = (url: string): Client =>
  createClient({ baseUrl: url, fetch: unreachable(url) });

export const toTokens = (answer: Answer): Tokens => ({
  accessToken: answer.accessToken,
  expiresAt: Date.now() + answer.expiresInSeconds * 1_000,
  refreshToken: answer.refreshToken,
});

/**
 * Signs in with ARES_URL, ARES_EMAIL and ARES_PASSWORD, else with the session of `ares login`, else with an account
 * of this installation; with `as` always with the latter.
 */
export async function signIn(
  home: string,
  { role, as }: { readonly role: Role; readonly as: Role | undefined },
  env: NodeJS.ProcessEnv = process.env,
): Promise<CliSession> {
  const { ARES_EMAIL: email, ARES_PASSWORD: password, ARES_URL: url } = env;
  if (email !== undefined) {
    if (password === undefined) throw new CliError('Set ARES_PASSWORD beside ARES_EMAIL.');
    return withPassword(url ?? 'http://127.0.0.1:8080', { email, password });
  }
  const file = sessionFile(home);
  const session = as === undefined ? await file.read() : undefined;
  if (session !== undefined) return withSavedSession(file, session);
  const saved: SavedCredentials = readCredentials(home);
  return withPassword(url ?? saved.url, saved[as ?? role]);
}

async function withPassword(url: string, account: { email: string; password: string }): Promise<CliSession> {
  const { email, password } = account;
  const tokens = toTokens(await anonymousClient(url).login({ body: { email, password } }));
  return keepSignedIn(url, tokens, async ({ refreshToken }) =>
    toTokens(await anonymousClient(url).refresh({ body: { refreshToken } })),
  );
}

function withSavedSession(file: SessionFile, session: SavedSession): CliSession {
  const { url } = session;
  return keepSignedIn(url, session, ({ refreshToken }) =>
    file.alone(async () => {
      const now = await file.read();
      if (now === undefined) throw new CliError('This computer was signed out: run ares login.');
      // Another command has exchanged it meanwhile.
      if (now.refreshToken !== refreshToken) return now;
      try {
        const tokens = toTokens(await anonymousClient(url).refresh({ body: { refreshToken } }));
        await file.write({ ...now, ...tokens });
        return tokens;
      } catch (error) {
        if (!(error instanceof ProblemError) || error.code !== 'TOKEN_INVALID') throw error;
        await file.remove();
        throw new CliError('The session has ended: run ares login.', { cause: error });
      }
    }),
  );
}

/** Exchanges the tokens when they come to their end, and after the cloud did not take one. */
function keepSignedIn(url: string, first: Tokens, exchange: (before: Tokens) => Promise<Tokens>): CliSession {
  let tokens = first;
  let exchanging: Promise<void> | undefined;
  const renew = (before: Tokens): Promise<void> => {
    if (before !== tokens) return Promise.resolve();
    exchanging ??= exchange(before)
      .then((next) => {
        tokens = next;
      })
      .finally(() => {
        exchanging = undefined;
      });
    return exchanging;
  };
  const send = unreachable(url);
  const headers = () => ({ authorization: `Bearer ${tokens.accessToken}` });
  const freshen = async () => {
    if (tokens.expiresAt - Date.now() < EARLY_MS) await renew(tokens);
  };
  const signed: Fetch = async (address, init) => {
    await freshen();
    const used = tokens;
    const response = await send(address, { ...init, headers: { ...init.headers, ...headers() } });
    if (response.status !== 401) return response;
    await renew(used);
    return send(address, { ...init, headers: { ...init.headers, ...headers() } });
  };
  return {
    url,
    client: createClient({ baseUrl: url, fetch: signed }),
    get headers() {
      return headers();
    },
    async freshHeaders() {
      await freshen();
      return headers();
    },
  };
}
