import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/http/client.ts';
import { contract } from '../../src/http/contract.ts';
import { openApiDocument } from '../../src/http/openapi.ts';
import type { Route } from '../../src/http/route.ts';
import { problemCodes } from '../../src/problems.ts';

const routes = Object.values(contract) as Route[];

/** Words of the specification; `/metrics` is on a listener of its own, which no contract names. */
const specified = `
GET / · GET /healthz · GET /readyz · GET /openapi.json · GET /asyncapi.json · GET /.well-known/jwks.json
POST /auth/register · POST /auth/verify-email · POST /auth/login · POST /auth/refresh · POST /auth/logout
POST /auth/forgot-password · POST /auth/reset-password
GET /api/users/me · PUT /api/users/me · DELETE /api/users/me
GET /api/devices · POST /api/devices · POST /api/devices/preregister · GET /api/devices/{id}
POST /api/devices/claim · POST /api/devices/credentials · POST /api/devices/{id}/recovery-token
POST /api/devices/{id}/command · GET /api/devices/{id}/commands · POST /api/devices/{id}/change-wifi
GET /api/devices/{id}/state · GET /api/devices/{id}/telemetry
POST /api/devices/{id}/bind · POST /api/devices/{id}/unbind · GET /api/devices/{id}/binding
GET /api/users/{userId}/device-bindings
POST /api/devices/{id}/keys/rotate · GET /api/devices/{id}/jwks · POST /api/devices/{id}/keys/{kid}/deactivate
POST /api/devices/{id}/offline-tokens · POST /api/devices/offline-tokens/verify
POST /api/devices/offline-tokens/revoke · GET /api/audit
`;

describe('the contract', () => {
  it('has every endpoint of the specification, by the name it has there', () => {
    const served = new Set(routes.map(({ method, path }) => `${method} ${path}`));
    expect(
      specified
        .trim()
        .split(/\n| · /)
        .filter((head) => !served.has(head)),
    ).toEqual([]);
  });

  it('names each route once, by the key under which it stands', () => {
    expect(Object.entries(contract).filter(([key, route]) => key !== route.id)).toEqual([]);
    for (const listener of ['public', 'device'] as const) {
      const heads = routes
        .filter((route) => route.listeners.includes(listener))
        .map(({ method, path }) => `${method} ${path}`);
      expect(new Set(heads).size).toBe(heads.length);
    }
  });

  it('gives every route a policy, known problems and a schema for each part of its path', () => {
    for (const route of routes) {
      expect(route.policy, route.id).toBeTruthy();
      expect(
        route.problems.filter((code) => !problemCodes.includes(code)),
        route.id,
      ).toEqual([]);
      expect(route.path.includes('{'), route.id).toBe(route.params !== undefined);
    }
  });

  it('never offers a route of people to devices or the other way round', () => {
    for (const { policy, listeners, id } of routes) {
      if (policy === 'device' || policy === 'deviceKey') expect(listeners, id).toEqual(['device']);
      else if (policy !== 'anyone') expect(listeners, id).toEqual(['public']);
    }
  });
});

describe('the OpenAPI document', () => {
  const document = openApiDocument({ version: '1.2.3' }) as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string }>>;
  };

  it('API-09 holds every route', () => {
    const operations = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    // The device's own list of components has the path of the app's.
    expect(operations.sort()).toEqual(
      Object.keys(contract)
        .filter((id) => id !== 'deviceComponents' && id !== 'deviceOfflineRevocations')
        .sort(),
    );
    expect(document.openapi).toMatch(/^3\.1/);
  });

  it('names the version of what is edited, and where it is checked', () => {
    const operation = document.paths['/api/devices/{id}/nickname']!['put'];
    expect(operation).toMatchObject({
      parameters: expect.arrayContaining([expect.objectContaining({ in: 'header', name: 'If-Match' })]),
      responses: { 200: { headers: { ETag: expect.anything() } }, 412: expect.anything() },
    });
    const edits = (Object.values(contract) as Route[]).filter(
      ({ etag, method }) => etag === true && method !== 'GET',
    );
    for (const { id, problems } of edits) expect(problems, id).toContain('PRECONDITION_FAILED');
  });
});

describe('the client', () => {
  const answering = (status: number, body: unknown) => {
    const seen: { url: string; method: string; headers: Record<string, string>; body?: string }[] = [];
    const client = createClient({
      baseUrl: 'http://cloud.test',
      accessToken: () => 'token',
      fetch: async (url, init) => {
        seen.push({ url, ...init });
        return { status, headers: { get: () => null }, text: async () => JSON.stringify(body) };
      },
    });
    return { client, seen };
  };
  const id = '0b8f6f6e-6c1c-4d0e-9a53-0d2f7f1c9a11';

  it('fills path, query and body and signs in by header', async () => {
    const { client, seen } = answering(202, { commandId: id });
    const body = { componentType: 'pump', action: 'on' };
    expect(await client.sendCommand({ params: { id }, query: { wait: 5 }, body })).toEqual({ commandId: id });
    expect(seen[0]).toMatchObject({
      url: `http://cloud.test/api/devices/${id}/command?wait=5`,
      method: 'POST',
      headers: { authorization: 'Bearer token', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  });

  it('throws the problem that the server answered', async () => {
    const { client } = answering(409, {
      type: 't',
      title: 't',
      status: 409,
      code: 'PIN_CONFLICT',
      detail: 'GPIO 17 is taken.',
    });
    await expect(client.state({ params: { id } })).rejects.toMatchObject({
      code: 'PIN_CONFLICT',
      message: 'GPIO 17 is taken.',
    });
  });

  it('API-10 throws UNAVAILABLE for an answer that is no problem, and refuses a success of another shape', async () => {
    await expect(answering(502, 'bad gateway').client.me()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(answering(200, { items: [{ deviceUuid: 7 }] }).client.listDevices()).rejects.toThrow();
  });
});
