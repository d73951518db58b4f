import { type Call, type ClientOptions, type Fetch, requestOf, toProblem } from './client.ts';
import { type Contract, contract, type RouteId } from './contract.ts';
import { type Route, type Streamable, type TextFormat, textFormats } from './route.ts';

/** Routes whose answer may be had as streamed text. */
export type StreamableRouteId = {
  [K in RouteId]: Contract[K]['success'] extends { readonly 200: Streamable } ? K : never;
}[RouteId];

/** `fetch` with a body that can be read piece by piece; that of Node, of undici and of a browser fit. */
export type StreamFetch = (
  ...request: Parameters<Fetch>
) => Promise<Awaited<ReturnType<Fetch>> & { readonly body: AsyncIterable<Uint8Array> | null }>;

/**
 * The whole answer of a route as text, in pieces as they come.
 * @throws {ProblemError} when the server answers a problem; reading throws when the answer is cut
 */
export async function fetchText<K extends StreamableRouteId>(
  options: ClientOptions<StreamFetch>,
  id: K,
  format: TextFormat,
  call: Call<Contract[K]>,
): Promise<AsyncIterable<string>> {
  const route: Route = contract[id];
  const response = await options.fetch(
    ...requestOf(options, route, call as Call<Route>, textFormats[format]),
  );
  if (response.status !== 200 || response.body === null)
    throw toProblem(response.status, await response.text());
  return decoded(response.body);
}

async function* decoded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const piece of bytes) yield decoder.decode(piece, { stream: true });
}
