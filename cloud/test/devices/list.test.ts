import { allItems } from '@ares/protocol/http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
let admin: Awaited<ReturnType<HttpWorld['person']>>;
let owner: typeof admin;
const uuids: string[] = [];

beforeAll(async () => {
  world = await httpWorld();
  [admin, owner] = [await world.person(['general_admin']), await world.person()];
  const names = ['basil', 'Chives', null, 'basil', '100 % dill'];
  for (const [n, nickname] of names.entries()) {
    const { deviceUuid, deviceId } = await world.device(owner);
    uuids.push(deviceUuid);
    await world.database.db
      .updateTable('devices')
      .set({
        nickname,
        presence: n === 1 ? 'ONLINE' : 'OFFLINE',
        life_cycle: n === 4 ? 'QUARANTINED' : 'ACTIVE',
        last_seen: n === 2 ? null : new Date(Date.UTC(2026, 0, 10 - n, 0, 0, 0, 1)),
      })
      .where('id', '=', deviceId)
      .execute();
  }
  await world.device(await world.person());
});
afterAll(() => world.close());

type Query = NonNullable<NonNullable<Parameters<typeof owner.client.listDevices>[0]>['query']>;
const list = async (query: Query, person = owner) =>
  (await person.client.listDevices({ query })).items.map(({ deviceUuid }) => uuids.indexOf(deviceUuid));

describe('a list of devices', () => {
  it.each([
    [{}, [0, 1, 2, 3, 4]],
    [{ order: 'desc' }, [4, 3, 2, 1, 0]],
    [{ sort: 'nickname' }, [2, 4, 0, 3, 1]],
    [{ sort: 'nickname', order: 'desc' }, [1, 3, 0, 4, 2]],
    [{ sort: 'lastSeen' }, [2, 4, 3, 1, 0]],
    [{ presence: 'ONLINE' }, [1]],
    [{ lifeCycle: 'QUARANTINED' }, [4]],
    [{ text: 'BASIL' }, [0, 3]],
    [{ text: '%' }, [4]],
    [{ text: '_' }, []],
    [{ hardwareVariant: 'greenhouse', presence: 'OFFLINE', text: 'dill' }, [4]],
    [{ hardwareVersion: 'pi-4' }, []],
  ] as const)('with %j is the same however it is cut', async (query, wanted) => {
    expect(await list(query)).toEqual(wanted);
    for (const limit of [1, 2, 5]) {
      const items = await allItems((cursor) =>
        owner.client.listDevices({ query: { ...query, cursor, limit } }),
      );
      expect(items.map(({ deviceUuid }) => uuids.indexOf(deviceUuid))).toEqual(wanted);
    }
  });

  it('finds a device by its serial and its UUID', async () => {
    const { cpuSerial } = await owner.client.getDevice({ params: { id: uuids[3]! } });
    expect(await list({ text: cpuSerial.toUpperCase().slice(2, 10) })).toEqual([3]);
    expect(await list({ text: uuids[2]!.slice(0, 18) })).toEqual([2]);
  });

  it('shows an administrator the devices of one owner, and tells nobody else whose they are', async () => {
    expect(await list({ owner: owner.email.toUpperCase() }, admin)).toEqual([0, 1, 2, 3, 4]);
    expect(await list({ owner: 'nobody@example.org' }, admin)).toEqual([]);
    await expect(owner.client.listDevices({ query: { owner: admin.email } })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  it('refuses a cursor of another list or another order, and one that is none', async () => {
    const { nextCursor } = await owner.client.listDevices({ query: { limit: 1 } });
    const forged = Buffer.from('["nickname",5,5]').toString('base64url');
    for (const query of [
      { sort: 'lastSeen', cursor: nextCursor! },
      { sort: 'nickname', cursor: forged },
      { cursor: 'x' },
      { cursor: Buffer.from('["registered","1; drop table devices",1]').toString('base64url') },
    ] as const) {
      await expect(owner.client.listDevices({ query })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    }
  });

  it('grants nothing by a cursor of somebody else', async () => {
    const { nextCursor } = await admin.client.listDevices({ query: { limit: 1 } });
    const stranger = await world.person();
    expect((await stranger.client.listDevices({ query: { cursor: nextCursor! } })).items).toEqual([]);
  });
});

describe('a device that two people edit', () => {
  const etagOf = async (id: string) => {
    let etag = '';
    await owner.client.getDevice({ params: { id }, onETag: (value) => (etag = value) });
    return etag;
  };

  it('takes the first of two changes that were made on one version, and answers 412 to the second', async () => {
    const { deviceUuid: id } = await world.device(owner);
    const ifMatch = await etagOf(id);
    const changes = await Promise.allSettled(
      ['one', 'two'].map((nickname) =>
        owner.client.setNickname({ params: { id }, body: { nickname }, ifMatch }),
      ),
    );
    expect(changes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(changes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { status: 412, code: 'PRECONDITION_FAILED' },
    });
    expect(await etagOf(id)).not.toBe(ifMatch);
    await owner.client.setNickname({ params: { id }, body: { nickname: 'three' } });
  });
});

describe('registering by the line of the factory', () => {
  it('is for developers, with the key; the line must be whole', async () => {
    const developer = await world.person(['developer']);
    const uuid = '0b8f6f6e-6c1c-4d0e-9a53-0d2f7f1c9a77';
    const line = `ares1:0123456789abcdef:${uuid}:${'ab'.repeat(32)}:pi-4:greenhouse`;
    expect(await developer.client.registerDevice({ body: { registrationLine: line } })).toEqual({
      deviceUuid: uuid,
    });
    const again = (registrationLine: string) =>
      developer.client.registerDevice({ body: { registrationLine } });
    await expect(again(line)).rejects.toMatchObject({ status: 409, code: 'ALREADY_PREREGISTERED' });
    await expect(again(line.replace('0123', 'aaaa').replaceAll('ab', 'cd'))).rejects.toMatchObject({
      status: 409,
      code: 'UUID_TAKEN',
    });
    await expect(again('ares1:0123')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(owner.client.registerDevice({ body: { registrationLine: line } })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });
});
