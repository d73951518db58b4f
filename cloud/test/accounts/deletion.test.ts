import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endAssignment } from '../../src/release/end-assignment.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

const PASSWORD = 'correct horse battery';

let world: HttpWorld;
/** Devices that were given away, in order. */
const released: string[] = [];
let away = false;

beforeAll(async () => {
  world = await httpWorld({
    accounts: {
      release: {
        async release({ deviceUuid, assignmentId }) {
          if (away) throw new Error('the database went away');
          released.push(deviceUuid);
          await endAssignment(world.database.db, { assignmentId: assignmentId!, at: new Date() });
        },
      },
    },
  });
});
afterAll(() => world.close());

const send = (method: string, path: string, accessToken: string, body?: unknown) =>
  fetch(`${world.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${accessToken}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
const remove = (accessToken: string, password = PASSWORD) =>
  send('DELETE', '/api/users/me', accessToken, { password });
const row = (userId: number) =>
  world.database.db.selectFrom('users').where('id', '=', userId).selectAll().executeTakeFirstOrThrow();

describe('deleting an account', () => {
  it('needs the password', async () => {
    const person = await world.person();
    expect((await remove(person.accessToken, 'wrong')).status).toBe(401);
    expect((await send('GET', '/api/users/me', person.accessToken)).status).toBe(200);
  });

  it('releases every device, ends all sessions and leaves nothing personal', async () => {
    const person = await world.person();
    const devices = [await world.device(person), await world.device(person)];
    const shared = await world.device(await world.person());
    await world.share(shared.assignmentId!, person);
    await send('PUT', '/api/users/me', person.accessToken, { displayName: 'Canary', locale: 'de' });
    expect((await remove(person.accessToken)).status).toBe(204);

    expect(released).toEqual(expect.arrayContaining(devices.map(({ deviceUuid }) => deviceUuid)));
    expect((await send('GET', '/api/users/me', person.accessToken)).status).toBe(401);
    const erased = await row(person.userId);
    expect(erased).toMatchObject({ display_name: null, locale: null, password_hash: '' });
    expect(JSON.stringify(erased)).not.toMatch(new RegExp(`Canary|${person.email}`));
    for (const table of [
      'sessions',
      'former_emails',
      'email_codes',
      'claims',
      'assignment_viewers',
    ] as const) {
      const rows = await world.database.db
        .selectFrom(table)
        .where('user_id', '=', person.userId)
        .selectAll()
        .execute();
      expect(rows, table).toEqual([]);
    }
  });

  it('leaves nobody a view of the time when the device was his, and no address of whom he shared it with', async () => {
    const [person, viewer] = [await world.person(), await world.person()];
    const { deviceUuid, assignmentId } = await world.device(person);
    await person.client.shareDevice({ params: { id: deviceUuid }, body: { email: viewer.email } });
    await person.client.shareDevice({ params: { id: deviceUuid }, body: { email: 'later@example.org' } });
    expect(await world.devices.historyAccessOf(viewer.caller, deviceUuid)).toBeDefined();
    await remove(person.accessToken);
    expect(await world.devices.historyAccessOf(viewer.caller, deviceUuid)).toBeUndefined();
    const shares = await world.database.db
      .selectFrom('shares')
      .where('assignment_id', '=', assignmentId!)
      .selectAll()
      .execute();
    expect(shares).toEqual([]);
  });

  it('keeps what is shared with an address that he never showed to be his', async () => {
    const { client } = await world.person();
    const owner = await world.person();
    const device = await world.device(owner);
    const email = 'somebody@example.org';
    await owner.client.shareDevice({ params: { id: device.deviceUuid }, body: { email } });
    const { accessToken } = await client.register({ body: { email, password: PASSWORD } });
    expect((await remove(accessToken)).status).toBe(204);
    const { items } = await owner.client.listViewers({ params: { id: device.deviceUuid } });
    expect(items.map((one) => one.email)).toEqual([email]);
  });

  it('keeps the audit log, which names the account by its number only', async () => {
    const person = await world.person();
    await remove(person.accessToken);
    const rows = await world.database.db
      .selectFrom('audit_log')
      .where('actor_user_id', '=', person.userId)
      .selectAll()
      .execute();
    expect(rows.map(({ action }) => action)).toContain('user.delete');
    expect(JSON.stringify(rows)).not.toContain(person.email);
  });

  it('tells the address, and lets it be registered again as somebody new', async () => {
    const person = await world.person();
    await remove(person.accessToken);
    expect((await world.parts.mailTo(person.email))?.subject).toBe('Your account was deleted');
    const again = await fetch(`${world.url}/auth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: person.email, password: PASSWORD }),
    });
    expect(again.status).toBe(201);
    expect(((await again.json()) as { user: { userId: string } }).user.userId).not.toBe(person.userUuid);
  });

  it('is finished later when something was away, and until then nobody is let in', async () => {
    const person = await world.person();
    const { deviceUuid } = await world.device(person);
    away = true;
    expect((await remove(person.accessToken)).status).toBe(500);
    expect((await send('GET', '/api/users/me', person.accessToken)).status).toBe(401);
    expect((await row(person.userId)).erased_at).toBeNull();
    away = false;
    expect(await world.parts.deletion.finish()).toBe(1);
    expect(released).toContain(deviceUuid);
    expect((await row(person.userId)).email).not.toBe(person.email);
    expect(await world.parts.deletion.finish()).toBe(0);
  });

  it('lets no request that was under way get a device for the account', async () => {
    const person = await world.person();
    const { deviceId } = await world.device();
    await remove(person.accessToken);
    const claim = {
      id: randomUUID(),
      device_id: deviceId,
      user_id: person.userId,
      nonce_hash: Buffer.from(randomUUID()),
      identity_key_hash: 'x',
      expires_at: new Date(),
    };
    await expect(world.database.db.insertInto('claims').values(claim).execute()).rejects.toThrow(
      'this account was deleted',
    );
    const assignment = { device_id: deviceId, number: 1, user_id: person.userId };
    await expect(world.database.db.insertInto('assignments').values(assignment).execute()).rejects.toThrow(
      'this account was deleted',
    );
  });
});
