import { fromUtf8 } from '../ble/text.ts';

/** Sixteen keys are 4 KiB. */
const MAX_BYTES = 65_536;

export type JwksFetchErrorCode =
  | 'NOT_HTTPS'
  | 'OTHER_HOST'
  | 'REDIRECTED'
  | 'TOO_LARGE'
  /** Another status than 200, or no JSON. */
  | 'BAD_ANSWER';

/** A key set that is not taken. */
export class JwksFetchError extends Error {
  override readonly name = 'JwksFetchError';
  readonly code: JwksFetchErrorCode;

  constructor(code: JwksFetchErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** The part of `fetch` that is needed; `fetch` itself fits, with or without streams (React Native has none). */
export type JwksFetch = (
  url: string,
  init: { method: 'GET'; redirect: 'manual'; headers: Record<string, string>; signal?: AbortSignal },
) => Promise<{
  readonly status: number;
  /** Where the answer came from, if the engine tells. */
  readonly url?: string;
  readonly headers: { get(name: string): string | null };
  readonly body?: { getReader(): Reader } | null;
  text(): Promise<string>;
}>;

/**
 * Fetches JSON from one address of one host by TLS, follows nothing, and reads no more than 64 KiB.
 * @param options.host `host` or `host:port` of the cloud that the caller trusts
 * @param options.signal a new one for each request, for instance `() => AbortSignal.timeout(5_000)`
 * @throws {JwksFetchError} NOT_HTTPS or OTHER_HOST at once; the rest, and what `fetch` throws, from the returned function
 */
export function createJwksFetch(options: {
  readonly fetch: JwksFetch;
  readonly url: string;
  readonly host: string;
  readonly signal?: () => AbortSignal;
  readonly maxBytes?: number;
}): () => Promise<unknown> {
  const { fetch, url, host, signal, maxBytes = MAX_BYTES } = options;
  assertAddress(url, host);
  return async () => {
    const response = await fetch(url, {
      method: 'GET',
      redirect: 'manual',
      headers: { accept: 'application/json' },
      ...(signal !== undefined && { signal: signal() }),
    });
    // A browser shows status 0 for a redirect that it did not follow.
    if (response.status === 0 || (response.status >= 300 && response.status < 400))
      throw new JwksFetchError('REDIRECTED', `${url} redirects; key sets are taken from where they belong.`);
    if (response.url !== undefined && response.url !== '') assertAddress(response.url, host);
    if (response.status !== 200)
      throw new JwksFetchError('BAD_ANSWER', `${url} answered ${response.status}.`);
    if (Number(response.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
    return parse(await readBounded(response, maxBytes));
  };
}

function assertAddress(url: string, host: string): void {
  const [, scheme, authority] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\\]*)/i.exec(url) ?? [];
  if (scheme?.toLowerCase() !== 'https')
    throw new JwksFetchError('NOT_HTTPS', `${url} is not https: anybody on the way could hand out keys.`);
  if (authority?.toLowerCase() !== host.toLowerCase())
    throw new JwksFetchError('OTHER_HOST', `${url} is not on ${host}.`);
}

async function readBounded(response: Awaited<ReturnType<JwksFetch>>, maxBytes: number): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) {
    const text = await response.text();
    if (text.length > maxBytes) throw tooLarge(maxBytes);
    return text;
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (value === undefined) continue;
    length += value.length;
    if (length > maxBytes) {
      await reader.cancel().catch(() => undefined);
      throw tooLarge(maxBytes);
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new JwksFetchError('BAD_ANSWER', 'The key set is not UTF-8.', { cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new JwksFetchError('BAD_ANSWER', 'The key set is not JSON.', { cause });
  }
}

const tooLarge = (maxBytes: number) =>
  new JwksFetchError('TOO_LARGE', `The key set is larger than ${maxBytes} bytes.`);
