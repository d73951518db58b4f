import { describe, expect, it } from 'vitest';
import { createJwksFetch, type JwksFetch } from '../../src/offline-tokens/index.ts';

const host = 'cloud.example:8443';
const url = `https://${host}/api/devices/x/jwks`;
const JWKS = { keys: [] };

const fetching = (answer: Partial<Response> & { text?: () => Promise<string> }, at = url) => {
  const asked: { url: string; redirect: string }[] = [];
  const fetch: JwksFetch = async (address, init) => {
    asked.push({ url: address, redirect: init.redirect });
    return { status: 200, headers: new Headers(), text: async () => '', ...answer };
  };
  return { get: createJwksFetch({ fetch, url: at, host }), asked };
};
const real = (body: BodyInit, init?: ResponseInit) => fetching(new Response(body, init) as never);
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'taken',
    (error: { code: string }) => error.code,
  );

describe('fetching a key set', () => {
  it('takes JSON from its place and follows nothing', async () => {
    const response = new Response(JSON.stringify(JWKS));
    const { get, asked } = fetching({ status: 200, headers: response.headers, body: response.body! });
    expect(await get()).toEqual(JWKS);
    expect(asked).toEqual([{ url, redirect: 'manual' }]);
  });

  it('works where answers have no stream, as in React Native', async () => {
    expect(await fetching({ text: async () => JSON.stringify(JWKS) }).get()).toEqual(JWKS);
    const long = fetching({ text: async () => `"${'x'.repeat(70_000)}"` });
    expect(await codeOf(long.get())).toBe('TOO_LARGE');
  });

  it.each([`http://${host}/jwks`, `ftp://${host}/jwks`, `//${host}/jwks`, 'file:///etc/passwd', '/jwks', ''])(
    'TOK-06 refuses the address %s, before anything is asked',
    (at) => {
      expect(() => fetching({}, at)).toThrow(expect.objectContaining({ code: 'NOT_HTTPS' }));
    },
  );

  it.each([
    'https://evil.example/jwks',
    'https://cloud.example/jwks',
    'https://cloud.example:8443@evil.example/jwks',
    'https://cloud.example:8443.evil.example/jwks',
    'https://evil.example\\@cloud.example:8443/jwks',
    'https:///jwks',
  ])('TOK-06 refuses the host of %s', (at) => {
    expect(() => fetching({}, at)).toThrow(expect.objectContaining({ code: 'OTHER_HOST' }));
  });

  it.each([301, 302, 303, 307, 308])('TOK-06 refuses a redirect by %i', async (status) => {
    const headers = new Headers({ location: 'https://evil.example/jwks' });
    expect(await codeOf(fetching({ status, headers }).get())).toBe('REDIRECTED');
  });

  it('TOK-06 refuses a redirect as browsers show it, and one that was followed nevertheless', async () => {
    expect(await codeOf(fetching({ status: 0 }).get())).toBe('REDIRECTED');
    const text = async () => JSON.stringify(JWKS);
    expect(await codeOf(fetching({ url: 'https://evil.example/jwks', text }).get())).toBe('OTHER_HOST');
    expect(await codeOf(fetching({ url: `http://${host}/jwks`, text }).get())).toBe('NOT_HTTPS');
  });

  it('TOK-06 stops reading an answer of 10 MB, also when it does not say how long it is', async () => {
    expect(await codeOf(fetching({ headers: new Headers({ 'content-length': '10485760' }) }).get())).toBe(
      'TOO_LARGE',
    );
    let sent = 0;
    let cancelled = false;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        sent += 16_384;
        controller.enqueue(new Uint8Array(16_384).fill(32));
        if (sent >= 10_485_760) controller.close();
      },
      cancel() {
        cancelled = true;
      },
    });
    expect(await codeOf(fetching({ body }).get())).toBe('TOO_LARGE');
    expect(sent).toBeLessThan(200_000);
    expect(cancelled).toBe(true);
  });

  it.each([
    ['another status', () => real('{}', { status: 404 })],
    ['no JSON', () => real('<html>')],
    ['no UTF-8', () => real(Uint8Array.of(0x22, 0xff, 0x22))],
  ])('refuses %s', async (_, make) => {
    expect(await codeOf(make().get())).toBe('BAD_ANSWER');
  });
});
