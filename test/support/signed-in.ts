import { type AnswerOf, type Client, type Contract, createClient, type Fetch } from '@ares/protocol/http';

/** A client that exchanges its tokens by itself, for tests that last longer than an access token. */
export function staySignedIn(url: string, fetch: Fetch, session: AnswerOf<Contract['login']>): Client {
  let { accessToken, refreshToken } = session;
  let exchanging: Promise<void> | undefined;
  const exchange = async () => {
    const answer = await createClient({ baseUrl: url, fetch }).refresh({ body: { refreshToken } });
    ({ accessToken, refreshToken } = answer);
  };
  return createClient({
    baseUrl: url,
    async fetch(address, init) {
      const used = accessToken;
      const send = (token: string) =>
        fetch(address, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
      const response = await send(used);
      if (response.status !== 401) return response;
      if (used === accessToken) {
        exchanging ??= exchange().finally(() => {
          exchanging = undefined;
        });
        await exchanging;
      }
      return send(accessToken);
    },
  });
}
