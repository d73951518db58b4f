import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';
import { hearNotices } from '../support/notices.ts';
import { until } from '../support/quiet.ts';

type Person = Awaited<ReturnType<HttpWorld['person']>>;

let world: HttpWorld;
let owner: Person;
let friend: Person;
let params: { id: string };
let assignmentId: number;

beforeAll(async () => {
  world = await httpWorld();
});
beforeEach(async () => {
  [owner, friend] = [await verified(), await verified()];
  const device = await world.device(owner);
  params = { id: device.deviceUuid };
  assignmentId = device.assignmentId!;
});
afterAll(() => world.close());

async function verified(): Promise<Person> {
  const person = await world.person();
  await confirm(person);
  return person;
}
const confirm = (person: Person, at: Date | null = new Date()) =>
  world.database.db
    .updateTable('users')
    .set({ email_verified_at: at })
    .where('id', '=', person.userId)
    .execute();
const sees = async (person: Person) =>
  (await person.client.listDevices()).items.some(({ deviceUuid }) => deviceUuid === params.id);
const share = (email: string) => owner.client.shareDevice({ params, body: { email } });
const notFound = { status: 404, code: 'NOT_FOUND' };

describe('a device that is shared', () => {
  it('is seen at once, to look at only, and is listed for its owner', async () => {
    const made = await share(friend.email.toUpperCase());
    expect(made.email).toBe(friend.email);
    expect((await friend.client.getDevice({ params })).role).toBe('viewer');
    await expect(friend.client.setNickname({ params, body: { nickname: 'mine' } })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    await expect(friend.client.listViewers({ params })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(
      friend.client.shareDevice({ params, body: { email: 'x@example.org' } }),
    ).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    expect((await owner.client.listViewers({ params })).items).toEqual([made]);
    await expect(share(friend.email)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(share(owner.email)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('API-01 answers and lists an address without an account like one with it', async () => {
    const unknown = await share(`${randomUUID()}@example.org`);
    const known = await share(friend.email);
    expect(Object.keys(unknown)).toEqual(Object.keys(known));
    const { items } = await owner.client.listViewers({ params });
    expect(items.map(({ email }) => email).sort()).toEqual([unknown.email, known.email].sort());
  });

  it('waits for a person who has no account yet, or has not confirmed its address', async () => {
    const late = await world.person();
    await confirm(late, null);
    await share(late.email);
    expect(await sees(late)).toBe(false);
    await confirm(late);
    expect(await sees(late)).toBe(true);
  });

  it('goes to one person for each share, also when the address changes hands', async () => {
    await share(friend.email);
    const address = friend.email;
    await world.database.db
      .updateTable('users')
      .set({ email: `${randomUUID()}@example.org` })
      .where('id', '=', friend.userId)
      .execute();
    const heir = await world.person();
    await confirm(heir, null);
    await world.database.db
      .updateTable('users')
      .set({ email: address, email_verified_at: new Date() })
      .where('id', '=', heir.userId)
      .execute();
    expect([await sees(friend), await sees(heir)]).toEqual([true, false]);
  });

  it('is shown no more from the moment its owner says so, its past included, and a notice goes out', async () => {
    const { viewerId } = await share(friend.email);
    const { heard, stop } = await hearNotices(world.database, 'device', { deviceUuid: 'probe' });
    await owner.client.stopSharing({ params: { ...params, viewerId } });
    expect(await sees(friend)).toBe(false);
    await expect(friend.client.getDevice({ params })).rejects.toMatchObject(notFound);
    await expect(friend.client.telemetry({ params })).rejects.toMatchObject(notFound);
    await until(() => heard.some(({ deviceUuid }) => deviceUuid === params.id), 'the notice');
    stop();
    await expect(owner.client.stopSharing({ params: { ...params, viewerId } })).rejects.toMatchObject(
      notFound,
    );
  });

  it('is left by its viewer himself, and by nobody who is none', async () => {
    await share(friend.email);
    await friend.client.leaveDevice({ params });
    expect(await sees(friend)).toBe(false);
    expect((await owner.client.listViewers({ params })).items).toEqual([]);
    await expect(owner.client.leaveDevice({ params })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(friend.client.leaveDevice({ params })).rejects.toMatchObject(notFound);
  });

  it('is shared by its owner only: who it is shared with cannot end the share of another device', async () => {
    const other = await world.device(friend);
    const { viewerId } = await share((await verified()).email);
    await expect(
      friend.client.stopSharing({ params: { id: other.deviceUuid, viewerId } }),
    ).rejects.toMatchObject(notFound);
    expect((await owner.client.listViewers({ params })).items).toHaveLength(1);
  });

  it('goes not to the next owner’s viewers, and no share outlives the account', async () => {
    await share(friend.email);
    await world.database.db
      .updateTable('assignments')
      .set({ ended_at: new Date() })
      .where('id', '=', assignmentId)
      .execute();
    expect(await sees(friend)).toBe(false);
    // He has another address by now than the one that the owner wrote.
    for (const change of [{ email: `${randomUUID()}@example.org` }, { deleted_at: new Date() }]) {
      await world.database.db.updateTable('users').set(change).where('id', '=', friend.userId).execute();
    }
    const rows = await world.database.db
      .selectFrom('shares')
      .select('id')
      .where('assignment_id', '=', assignmentId)
      .execute();
    expect(rows).toEqual([]);
  });

  it('is shared with fifty people at most, and each change is in the audit log', async () => {
    await world.database.db
      .insertInto('shares')
      .values(
        Array.from({ length: 50 }, (_, n) => ({ assignment_id: assignmentId, email: `a${n}@example.org` })),
      )
      .execute();
    await expect(share(friend.email)).rejects.toMatchObject({ code: 'CONFLICT' });
    const { items } = await owner.client.listViewers({ params, query: { limit: 1 } });
    await owner.client.stopSharing({ params: { ...params, viewerId: items[0]!.viewerId } });
    await share(friend.email);
    const audit = await world.database.db
      .selectFrom('audit_log')
      .select(['action', 'actor_user_id', 'detail'])
      .where('object_id', '=', params.id)
      .where('action', 'like', 'device.%share')
      .orderBy('id')
      .execute();
    expect(audit).toEqual([
      { action: 'device.unshare', actor_user_id: owner.userId, detail: { email: 'a0@example.org' } },
      { action: 'device.share', actor_user_id: owner.userId, detail: { email: friend.email } },
    ]);
  });
});
