import { type Client, createClient, type Fetch } from '@ares/protocol/http';
import { fetch } from 'undici';
import { CliError } from './cli-error.ts';
import { readCredentials, type SavedCredentials } from './home.ts';

/** Whose eyes a command uses. */
export type Role = 'owner' | 'administrator';

/** A signed-in connection to the cloud. */
export interface CliSession {
  readonly url: string;
  readonly client: Client;
  /** For streams: fetch with `Authorization`, never a token in the address. */
  readonly headers: Readonly<Record<string, string>>;
}

const unreachable =
  (url: string): Fetch =>
  async (address, init) => {
    try {
      return await fetch(address, init);
    } catch (cause) {
      throw new CliError(`The cloud at ${url} does not answer. Is npm start running?`, { cause });
    }
  };

/** Signs in with the account of this installation, or with ARES_URL, ARES_EMAIL and ARES_PASSWORD. */
export async function signIn(
  home: string,
  role: Role,
  env: NodeJS.ProcessEnv = process.env,
): Promise<CliSession> {
  const saved: SavedCredentials | undefined =
    env['ARES_EMAIL'] === undefined ? readCredentials(home) : undefined;
  const url = env['ARES_URL'] ?? saved?.url ?? 'http://127.0.0.1:8080';
  const email = env['ARES_EMAIL'] ?? saved?.[role].email;
  const password = env['ARES_PASSWORD'] ?? saved?.[role].password;
  if (email === undefined || password === undefined)
    throw new CliError('Set ARES_PASSWORD beside ARES_EMAIL.');
  const { accessToken } = await createClient({ baseUrl: url, fetch: unreachable(url) }).login({
    body: { email, password },
  });
  return {
    url,
    client: createClient({ baseUrl: url, fetch: unreachable(url), accessToken: () => accessToken }),
    headers: { authorization: `Bearer ${accessToken}` },
  };
}
