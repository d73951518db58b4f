import { randomUUID } from 'node:crypto';
import { type ProblemDetails, problemCodes } from '@ares/protocol';
import { policyRule, type Route, type RouteId } from '@ares/protocol/http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleRequest } from '../../../test/support/route-samples.ts';
import { createHttpApp, type HttpAppParts, routesOf } from '../../src/http/app.ts';
import type { Handlers } from '../../src/http/handlers.ts';
import { assertPolicies } from '../../src/http/policies.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

/** Every route of the public listener; one that is added to the contract is walked without a change here. */
const walk = routesOf('public').map((route) => [route.id, route] as const);
const ofPolicy = (...policies: Route['policy'][]) =>
  walk.filter(([, { policy }]) => policies.includes(policy));
const ofPeople = walk.filter(([, { policy }]) => policyRule(policy).proof === 'token');

let world: HttpWorld;
let owner: Awaited<ReturnType<HttpWorld['person']>>;
let viewer: typeof owner;
let stranger: typeof owner;
let device: Awaited<ReturnType<HttpWorld['device']>>;

beforeAll(async () => {
  world = await httpWorld({ policiesOnly: true });
  [owner, viewer, stranger] = await Promise.all([world.person(), world.person(), world.person()]);
  device = await world.device(owner);
  await world.share(device.assignmentId!, viewer);
});
afterAll(() => world.close());

/** Sends the route's request with an empty object as its body. */
async function ask(
  route: Route,
  options: { accessToken?: string; authorization?: string; deviceUuid?: string; query?: string } = {},
) {
  const id = options.deviceUuid ?? device.deviceUuid;
  const { path } = sampleRequest(route, { id });
  const authorization =
    options.authorization ??
    (options.accessToken === undefined ? undefined : `Bearer ${options.accessToken}`);
  const abort = new AbortController();
  const response = await fetch(world.url + path + (options.query ?? ''), {
    method: route.method,
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(route.body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(route.body !== undefined && { body: '{}' }),
    signal: abort.signal,
  });
  const body = response.status === 204 ? undefined : await response.json();
  const problem = response.status >= 400 && response.status !== 503 ? asProblem(body) : undefined;
  return { status: response.status, code: problem?.code, headers: response.headers };
}

/** Somebody who gave his device away. */
async function formerOwner() {
  const former = await world.person();
  const { deviceUuid, assignmentId } = await world.device(former);
  await world.database.db
    .updateTable('assignments')
    .set({ ended_at: new Date() })
    .where('id', '=', assignmentId!)
    .execute();
  return { accessToken: former.accessToken, deviceUuid, assignmentId: assignmentId! };
}

/** The one shape of every refusal. */
function asProblem(body: unknown): ProblemDetails {
  expect(body).toMatchObject({
    type: expect.stringMatching(/^urn:ares:problem:/),
    title: expect.any(String),
    status: expect.any(Number),
    code: expect.any(String),
    detail: expect.any(String),
    requestId: expect.any(String),
  });
  const problem = body as ProblemDetails;
  expect(problemCodes).toContain(problem.code);
  return problem;
}

describe('without credentials', () => {
  it.each(ofPeople)('%s asks to sign in', async (_, route) => {
    const answer = await ask(route);
    expect(answer).toMatchObject({ status: 401, code: 'AUTHENTICATION_REQUIRED' });
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
  });

  it.each(['Basic YTpi', 'Bearer', 'Bearer a b', 'Bearer a.b.c', `Bearer ${'x'.repeat(8_000)}`])(
    'and with "%.20s" neither',
    async (authorization) => {
      for (const [, route] of ofPeople) {
        expect(await ask(route, { authorization }), route.id).toMatchObject({ status: 401 });
      }
    },
  );
});

describe('API-01 a device of somebody else', () => {
  it.each(ofPolicy('reader', 'pastReader', 'owner'))(
    '%s answers 404, as for one that does not exist',
    async (_, route) => {
      const foreign = await ask(route, { accessToken: stranger.accessToken });
      const unknown = await ask(route, { accessToken: stranger.accessToken, deviceUuid: randomUUID() });
      expect(foreign).toMatchObject({ status: 404, code: 'NOT_FOUND' });
      expect(unknown).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    },
  );

  it.each(ofPolicy('reader', 'owner'))('%s answers 404 to a former owner', async (_, route) => {
    const { accessToken, deviceUuid } = await formerOwner();
    expect(await ask(route, { accessToken, deviceUuid })).toMatchObject({ status: 404 });
  });

  it.each(ofPolicy('pastReader'))('%s answers a former owner and a former viewer', async (_, route) => {
    const { accessToken, deviceUuid, assignmentId } = await formerOwner();
    const formerViewer = await world.person();
    await world.share(assignmentId, formerViewer);
    for (const token of [accessToken, formerViewer.accessToken]) {
      await ask(route, { accessToken: token, deviceUuid });
      expect(world.reached.at(-1)?.context).toMatchObject({ access: { deviceUuid, everything: false } });
    }
    expect((await ask(route, { accessToken: stranger.accessToken, deviceUuid })).status).toBe(404);
  });
});

describe('the wrong role', () => {
  it.each(ofPolicy('owner'))('%s answers 403 to a viewer', async (_, route) => {
    expect(await ask(route, { accessToken: viewer.accessToken })).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
  });

  it.each(ofPolicy('admin'))(
    'API-05 %s answers 403 to a user, an owner and a developer',
    async (_, route) => {
      const developer = await world.person(['developer']);
      for (const { accessToken } of [stranger, owner, developer]) {
        expect(await ask(route, { accessToken })).toMatchObject({ status: 403, code: 'FORBIDDEN' });
      }
    },
  );

  it.each(ofPolicy('developer'))('API-05 %s answers 403 to a user and an owner', async (_, route) => {
    for (const { accessToken } of [stranger, owner]) {
      expect(await ask(route, { accessToken })).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    }
  });

  it.each(ofPolicy('reader', 'pastReader'))(
    '%s lets a viewer and an administrator through',
    async (_, route) => {
      const admin = await world.person(['general_admin']);
      for (const { accessToken } of [viewer, admin]) {
        // Whatever the handler says then: the policy did not refuse.
        expect([401, 403, 404]).not.toContain((await ask(route, { accessToken })).status);
      }
    },
  );
});

describe('the table of routes', () => {
  it('has every policy of the contract on the listener where it belongs', () => {
    expect(ofPolicy('device', 'deviceKey')).toEqual([]);
    expect(
      routesOf('device').filter(({ policy }) => !['device', 'deviceKey', 'anyone'].includes(policy)),
    ).toEqual([]);
  });

  it('has no route for devices on the public listener', async () => {
    for (const route of routesOf('device').filter(({ listeners }) => !listeners.includes('public'))) {
      // The same path and method is for apps there.
      if (['deviceComponents', 'deviceOfflineRevocations'].includes(route.id)) continue;
      expect([404, 405], route.id).toContain((await ask(route)).status);
    }
  });

  it('does not start while a route has no handler', () => {
    const parts = { log: {}, limits: {}, policies: {}, clock: {}, closing: new AbortController().signal };
    const handlers = Object.fromEntries(walk.slice(1).map(([id]) => [id, async () => undefined]));
    expect(() =>
      createHttpApp({
        ...(parts as unknown as HttpAppParts),
        listener: 'public',
        handlers: handlers as unknown as Handlers,
      }),
    ).toThrow(`The route ${walk[0]![0]} of the contract has no handler.`);
  });

  it('does not start while a route names no policy of the table', () => {
    const [[, route]] = walk as [(typeof walk)[number]];
    for (const policy of [undefined, 'everybody', 'constructor']) {
      const odd = { ...route, policy } as unknown as Route;
      expect(() => assertPolicies([odd])).toThrow(`The route ${route.id} of the contract names no policy`);
    }
    expect(() => assertPolicies(walk.map(([, one]) => one))).not.toThrow();
  });

  it('API-09 answers every route that the OpenAPI document shows, and the document shows every route', async () => {
    const document = (await (await fetch(`${world.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { operationId: RouteId }>>;
    };
    const shown = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    for (const [id] of walk) expect(shown).toContain(id);
  });
});
