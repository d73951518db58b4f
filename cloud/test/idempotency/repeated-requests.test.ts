import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
beforeAll(async () => {
  world = await httpWorld({ limits: { keptAnswer: { points: 4, seconds: 60 } } });
});
afterAll(() => world.close());

type Person = Awaited<ReturnType<HttpWorld['person']>>;

const post = (path: string, by: Pick<Person, 'accessToken'> | undefined, key: string, body: unknown) =>
  fetch(`${world.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': key,
      ...(by !== undefined && { authorization: `Bearer ${by.accessToken}` }),
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const share = (deviceUuid: string, by: Person, key: string, email = 'friend@example.org') =>
  post(`/api/devices/${deviceUuid}/viewers`, by, key, { email });
const kept = async (key: string) =>
  (await world.database.db.selectFrom('idempotency_keys').where('key', '=', key).selectAll().execute())
    .length;

describe('a POST with an Idempotency-Key', () => {
  it('is answered alike when it is sent again, and says so', async () => {
    const owner = await world.person();
    const { deviceUuid } = await world.device(owner);
    const key = randomUUID();
    const [first, second] = [await share(deviceUuid, owner, key), await share(deviceUuid, owner, key)];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(await second.json()).toEqual(await first.json());
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(second.headers.get('idempotent-replayed')).toBe('true');
  });

  it('API-01 is answered to nobody who has lost the right, nor to anybody else with the same key', async () => {
    const owner = await world.person();
    const { deviceUuid, assignmentId } = await world.device(owner);
    const viewer = await world.person();
    await world.share(assignmentId!, viewer);
    const key = randomUUID();
    expect((await share(deviceUuid, owner, key)).status).toBe(201);
    expect((await share(deviceUuid, viewer, key)).status).toBe(403);
    expect((await share(deviceUuid, await world.person(), key)).status).toBe(404);
    await world.database.db
      .updateTable('assignments')
      .set({ ended_at: new Date() })
      .where('id', '=', assignmentId!)
      .execute();
    expect((await share(deviceUuid, owner, key)).status).toBe(404);
    const admin = await world.person(['general_admin']);
    const body = { email: `${randomUUID()}@example.org` };
    expect((await post('/api/users', admin, key, body)).status).toBe(201);
    await world.database.db.deleteFrom('user_roles').where('user_id', '=', admin.userId).execute();
    expect((await post('/api/users', admin, key, body)).status).toBe(403);
  });

  it('API-04 keeps nothing of what is too large, not understood or too much', async () => {
    const owner = await world.person();
    const { deviceUuid } = await world.device(owner);
    const keys = Array.from({ length: 6 }, () => randomUUID());
    const large = `{"email":"${'x'.repeat(70_000)}@example.org"}`;
    expect((await post(`/api/devices/${deviceUuid}/viewers`, owner, keys[0]!, large)).status).toBe(413);
    expect((await post(`/api/devices/${deviceUuid}/viewers`, owner, keys[0]!, '{"a":1}')).status).toBe(400);
    expect(await kept(keys[0]!)).toBe(0);
    const statuses = [];
    for (const [n, key] of keys.entries())
      statuses.push((await share(deviceUuid, owner, key, `friend${n}@example.org`)).status);
    expect(statuses).toEqual([201, 201, 201, 201, 429, 429]);
    expect(await kept(keys[5]!)).toBe(0);
  });

  it('is refused where nobody is signed in', async () => {
    const body = { email: 'new@example.org', password: 'correct horse battery' };
    expect((await post('/auth/register', undefined, randomUUID(), body)).status).toBe(400);
  });
});
