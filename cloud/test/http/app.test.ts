import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

const logged: string[] = [];
const note = (fields: Record<string, unknown>, message: string) =>
  void logged.push(JSON.stringify({ ...fields, message }));

let world: HttpWorld;
let accessToken: string;
beforeAll(async () => {
  world = await httpWorld({
    log: { debug: note, info: note, warn: note, error: note },
    times: { headersTimeout: 300, requestTimeout: 1_500 },
  });
  accessToken = (await world.person(['prime_admin'])).accessToken;
});
afterAll(() => world.close());

/** Writes bytes as they are and gives back everything that came until the server closed. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(world.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(bytes);
  return text(socket);
}

const login = (init: RequestInit & { type?: string } = {}) =>
  fetch(`${world.url}/auth/login`, {
    method: 'POST',
    ...init,
    headers: { 'content-type': init.type ?? 'application/json', ...init.headers },
  });
const problem = async (response: Response) => ({
  status: response.status,
  code: ((await response.json()) as { code: string }).code,
});

describe('CLM-09 bodies that are not what they should be', () => {
  it('refuses 1 MB with 413, announced or not, and memory stays flat', async () => {
    const before = process.memoryUsage.rss();
    for (let round = 0; round < 20; round += 1) {
      expect(await problem(await login({ body: `{"a":"${'x'.repeat(1_000_000)}"}` }))).toEqual({
        status: 413,
        code: 'BODY_TOO_LARGE',
      });
    }
    const chunks = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('x'.repeat(50_000))),
    });
    const endless = await login({ body: chunks, duplex: 'half' } as RequestInit).catch(
      (error: Error) => error,
    );
    // The answer may be cut off by our own writing; an answer that arrives is 413.
    if (endless instanceof Response) expect(endless.status).toBe(413);
    expect(process.memoryUsage.rss() - before).toBeLessThan(150_000_000);
  });

  it.each([
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
    'application/jsonp',
  ])('refuses content type %s with 415', async (type) => {
    expect(await problem(await login({ type, body: '{}' }))).toEqual({
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    });
  });

  it('refuses a compressed body with 415: it could grow a thousandfold', async () => {
    const answer = await login({ body: '{}', headers: { 'content-encoding': 'gzip' } });
    expect(await problem(answer)).toMatchObject({ status: 415 });
  });

  it.each([
    ['nothing', undefined],
    ['bad JSON', '{"email":'],
    ['duplicate keys', '{"email":"a@b.de","email":"c@d.de","password":"x"}'],
    ['__proto__', '{"__proto__":{"admin":true}}'],
    ['10,000 nested arrays', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['an array', '[]'],
    ['null', 'null'],
    ['an unknown member', '{"email":"a@b.de","password":"x","admin":true}'],
    ['a number for a text', '{"email":1,"password":"x"}'],
  ])('refuses %s with 400', async (_, body) => {
    expect(await problem(await login(body === undefined ? {} : { body }))).toEqual({
      status: 400,
      code: 'INVALID_REQUEST',
    });
  });

  it('names each part that is wrong', async () => {
    const answer = await login({ body: '{"email":1,"passwort":"x"}' });
    expect(await answer.json()).toMatchObject({
      code: 'INVALID_REQUEST',
      issues: [
        { path: 'email', message: expect.stringMatching(/string/) },
        { path: 'password', message: expect.any(String) },
        { path: '', message: expect.stringMatching(/passwort/) },
      ],
    });
  });
});

describe('requests that are not for us', () => {
  it('answers 404 for a path that does not exist, and for a trailing slash or another case', async () => {
    for (const path of [
      '/nothing',
      '/api',
      '/healthz/',
      '/HEALTHZ',
      '/api/devices/',
      '/api/devices/id/x',
      '/%00',
      '/..%2fetc',
    ]) {
      expect(await problem(await fetch(world.url + path)), path).toEqual({ status: 404, code: 'NOT_FOUND' });
    }
  });

  it('answers 405 with Allow for a known path with another method', async () => {
    for (const method of ['DELETE', 'PATCH', 'OPTIONS', 'PUT']) {
      const answer = await fetch(`${world.url}/auth/login`, { method });
      expect(answer.headers.get('allow')).toBe('POST');
      expect(await problem(answer)).toEqual({ status: 405, code: 'METHOD_NOT_ALLOWED' });
    }
  });

  it('answers 400 for an id that is none, to those who are signed in', async () => {
    for (const id of ['x', '%E0%A4%A', "1'--", 'A'.repeat(5_000)]) {
      const answer = await fetch(`${world.url}/api/devices/${id}`, {
        headers: { authorization: `Bearer ${accessToken}` },
      });
      expect([400, 404], id).toContain(answer.status);
    }
  });

  it('API-04 answers 400 to a query of 1 MB, and to limit=1e9', async () => {
    expect(
      await raw(`GET /api/devices?x=${'x'.repeat(1_000_000)} HTTP/1.1\r\nhost: a\r\n\r\n`).catch(
        () => 'HTTP/1.1 400 reset',
      ),
    ).toMatch(/^HTTP\/1.1 400 /);
    const id = (await world.device(await world.person())).deviceUuid;
    const answer = await fetch(`${world.url}/api/devices/${id}/telemetry?limit=1e9`, {
      headers: { authorization: `Bearer ${accessToken}` },
    });
    expect(await problem(answer)).toEqual({ status: 400, code: 'INVALID_REQUEST' });
  });

  it.each([
    ['garbage', '\x16\x03\x01\x02garbage\r\n\r\n'],
    [
      'two lengths',
      'POST /auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}',
    ],
    [
      'length and chunks',
      'POST /auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n'],
  ])('answers 400 to %s and closes', async (_, bytes) => {
    expect(await raw(bytes)).toMatch(/^HTTP\/1.1 400 /);
  });

  it('API-04 cuts off who sends headers byte by byte, with 408', async () => {
    expect(await raw('GET /healthz HTTP/1.1\r\nhost: a\r\nx: ')).toMatch(/^HTTP\/1.1 408 .*REQUEST_TIMEOUT/s);
  });

  it('API-04 cuts off who never finishes a body', async () => {
    const answer = await raw(
      'POST /auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"email":',
    );
    expect(answer).toMatch(/^(HTTP\/1.1 408 |$)/);
  });
});

describe('answers', () => {
  it('API-08 carry the security headers and no trace of the server', async () => {
    const { headers } = await fetch(`${world.url}/healthz`);
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('server')).toBeNull();
  });

  it('API-08 tell the caller nothing of an internal error; the log has it under the request id', async () => {
    const { deviceUuid } = await world.device(await world.person());
    const answer = await fetch(`${world.url}/api/devices/${deviceUuid}/state`, {
      headers: { authorization: `Bearer ${accessToken}` },
    });
    const body = await answer.text();
    expect(answer.status).toBe(500);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(body).not.toContain('canary-internal-detail');
    const { requestId } = JSON.parse(body) as { requestId: string };
    expect(answer.headers.get('x-request-id')).toBe(requestId);
    expect(logged.filter((line) => line.includes(requestId)).join()).toContain('canary-internal-detail');
  });

  it('API-06 say 429 to a user who has mails sent to many addresses, or has certificates made', async () => {
    const two = { points: 2, seconds: 60 };
    const limited = await httpWorld({ limits: { changeEmail: two, appCertificate: two } });
    const [one, other] = [await limited.person(), await limited.person()];
    const change = (by: typeof one) =>
      by.client.changeEmail({
        body: { email: `${randomUUID()}@example.org`, password: 'correct horse battery' },
      });
    const certificate = (by: typeof one) => by.client.appCertificate({ body: { csr: 'AAAA' } });
    const codes = async (ask: (by: typeof one) => Promise<unknown>) => {
      const found = [];
      for (const by of [one, one, one, other])
        found.push(
          await ask(by).then(
            () => 'done',
            (error: { code: string }) => error.code,
          ),
        );
      return found;
    };
    expect(await codes(change)).toEqual(['done', 'done', 'TOO_MANY_REQUESTS', 'done']);
    expect((await codes(certificate)).map((code) => code === 'TOO_MANY_REQUESTS')).toEqual([
      false,
      false,
      true,
      false,
    ]);
    await limited.close();
  });

  it('API-04 say 429 and when to come back, to one address only', async () => {
    const limited = await httpWorld({ limits: { everything: { points: 5, seconds: 60 } } });
    const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(`${limited.url}/healthz`)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
    expect(Number(answers.at(-1)?.headers.get('retry-after'))).toBeGreaterThan(0);
    await limited.close();
  });
});
