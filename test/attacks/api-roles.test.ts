import { contract, createClient, policyRule, type Role, type Route, roles } from '@ares/protocol/http';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type RoleWorld, startRoleWorld } from '../support/role-world.ts';
import { sampleRequest } from '../support/route-samples.ts';

/** Every route of people, from the contract: one that is added is walked without a change here. */
const routes = (Object.values(contract) as Route[]).filter(({ listeners }) => listeners.includes('public'));
const guarded = routes.filter(({ policy }) => policyRule(policy).proof === 'token');
const named = (list: readonly Route[]) => list.map((route) => [route.id, route] as const);

/** Who walks; devices take their own way to the cloud. */
const walkers = (Object.keys(roles) as Role[]).filter((role) => role !== 'device' && role !== 'self');
const SYSTEM: ReadonlySet<Role> = new Set(['developer', 'general_admin', 'prime_admin']);
const isAdmin = (role: Role) => role === 'general_admin' || role === 'prime_admin';

/** Routes after which an account is not what it was. */
const changesAccount = (route: Route) => route.policy === 'account' && route.method !== 'GET';

/** What the table of policies says of a request. */
function expected(
  route: Route,
  role: Role,
  isSelf: boolean,
): 'unknown' | 'foreign' | 'forbidden' | 'allowed' {
  const { object, allows } = policyRule(route.policy);
  if (role === 'nobody') return 'unknown';
  const near = {
    device: role === 'owner' || role === 'viewer',
    'device-past': role === 'owner' || role === 'viewer' || role === 'former',
    user: isSelf,
  };
  if (object !== undefined && !near[object] && !isAdmin(role)) return 'foreign';
  const held: Role[] = ['user', role, ...(isSelf ? (['self'] as const) : [])];
  return held.some((one) => allows.includes(one)) ? 'allowed' : 'forbidden';
}

let world: RoleWorld;
const people = {} as Record<Role, Person>;

beforeAll(async () => {
  world = await startRoleWorld();
  for (const role of walkers) if (role !== 'nobody') people[role] = await world.person(role);
});
afterAll(() => world.close());

async function ask(route: Route, token: string | undefined, params: Record<string, string | number>) {
  const { method, path, body } = sampleRequest(route, params);
  const abort = new AbortController();
  const answer = await fetch(world.cloud.publicUrl + path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: abort.signal,
  });
  const type = answer.headers.get('content-type') ?? '';
  const code = type.startsWith('application/problem+json')
    ? ((await answer.json()) as { code: string }).code
    : undefined;
  // A stream would not end by itself.
  abort.abort();
  return { status: answer.status, code };
}

/** A device whose owner, viewer and former owner are the walkers of these names, and one more person. */
async function objects(role: Role, isSelf: boolean) {
  const device = await world.device({
    owner: people.owner,
    viewer: people.viewer,
    former: people.former,
  });
  const other = await world.account();
  return {
    id: device.deviceUuid,
    componentId: device.componentId,
    userId: isSelf && role !== 'nobody' ? people[role].userUuid : other.userUuid,
  };
}

describe.each(walkers)('API-01 API-05 %s', (role) => {
  it.each(named(guarded))('%s answers as the table of policies says', async (_, route) => {
    const { object } = policyRule(route.policy);
    for (const isSelf of object === 'user' ? [false, true] : [false]) {
      const token =
        role === 'nobody'
          ? undefined
          : changesAccount(route)
            ? (await world.person(SYSTEM.has(role) ? role : undefined)).token
            : people[role].token;
      const { status, code } = await ask(route, token, await objects(role, isSelf));
      switch (expected(route, role, isSelf)) {
        case 'unknown':
          expect({ status, code }).toEqual({ status: 401, code: 'AUTHENTICATION_REQUIRED' });
          break;
        case 'foreign':
          expect({ status, code }).toEqual({ status: 404, code: 'NOT_FOUND' });
          break;
        case 'forbidden':
          expect({ status, code }).toEqual({ status: 403, code: 'FORBIDDEN' });
          break;
        case 'allowed':
          expect(status, code).toBeLessThan(500);
          expect(code).not.toBe('AUTHENTICATION_REQUIRED');
          // To an own device reading works, and is not only not refused.
          if (object?.startsWith('device') === true && route.method === 'GET') expect(status, code).toBe(200);
          // Who may grant which role is for the account service to say as well.
          if (!route.path.includes('/roles/')) expect(code).not.toBe('FORBIDDEN');
      }
    }
  });
});

describe('API-01 a part of somebody else’s device', () => {
  const parts = guarded.filter(({ path }) => path.includes('{componentId}'));

  it.each(named(parts))('API-01 %s does not reach it through an own device', async (_, route) => {
    const own = await world.device({ owner: people.owner });
    const foreign = await world.device({ owner: people.user });
    const params = { id: own.deviceUuid, componentId: foreign.componentId };
    expect(await ask(route, people.owner.token, params)).toEqual({ status: 404, code: 'NOT_FOUND' });
    const { detached_at } = await world.database.db
      .selectFrom('attached_components')
      .select('detached_at')
      .where('id', '=', foreign.componentId)
      .executeTakeFirstOrThrow();
    expect(detached_at).toBeNull();
  });
});

describe('API-01 a viewer whose share ends', () => {
  const as = ({ token }: Person) =>
    createClient({ baseUrl: world.cloud.publicUrl, fetch, accessToken: () => token });

  it('API-01 hears so on his open streams at once, and nothing of the device after it', async () => {
    const { deviceUuid } = await world.device({ owner: people.owner, viewer: people.viewer });
    const params = { id: deviceUuid };
    const headers = { authorization: `Bearer ${people.viewer.token}` };
    const stream = await fetch(`${world.cloud.publicUrl}/api/devices/${deviceUuid}/events`, { headers });
    const { items } = await as(people.owner).listViewers({ params });
    const startedAt = performance.now();
    await as(people.owner).stopSharing({ params: { ...params, viewerId: items[0]!.viewerId } });
    // It ends by itself.
    const heard = await stream.text();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(heard).toContain('event: removed');
    await expect(as(people.viewer).state({ params })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('API-05 routes for everybody', () => {
  const open = routes.filter(({ policy }) => policyRule(policy).proof === 'none');

  it.each(named(open))('%s answers nobody with anything but an accident', async (_, route) => {
    const { status } = await ask(route, undefined, {});
    expect(status === 503 ? 200 : status).toBeLessThan(500);
  });
});
