import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
let admin: Awaited<ReturnType<HttpWorld['person']>>;
beforeAll(async () => {
  world = await httpWorld();
  admin = await world.person(['general_admin']);
});
afterAll(() => world.close());

const registration = () => ({
  cpuSerial: randomBytes(8).toString('hex'),
  deviceUuid: randomUUID(),
  identityKeyHash: randomBytes(32).toString('hex'),
  hardwareVersion: 'pi-4',
  hardwareVariant: 'greenhouse',
});

describe('registering a device', () => {
  it('makes it known to administrators, and to nobody else', async () => {
    const body = registration();
    expect(await admin.client.preregister({ body })).toEqual({ deviceUuid: body.deviceUuid });
    expect(await admin.client.getDevice({ params: { id: body.deviceUuid } })).toEqual({
      deviceUuid: body.deviceUuid,
      cpuSerial: body.cpuSerial,
      hardwareVersion: 'pi-4',
      hardwareVariant: 'greenhouse',
      nickname: null,
      lifeCycle: 'REGISTERED',
      presence: 'OFFLINE',
      lastSeen: null,
      role: 'admin',
      claimedAt: null,
    });
    const user = await world.person();
    expect((await user.client.listDevices()).items).toEqual([]);
    await expect(user.client.getDevice({ params: { id: body.deviceUuid } })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it.each([
    ['serial', 'cpuSerial', 'ALREADY_PREREGISTERED'],
    ['UUID', 'deviceUuid', 'UUID_TAKEN'],
    ['identity key', 'identityKeyHash', 'KEY_IN_USE'],
  ] as const)('refuses a known %s with 409', async (_, field, code) => {
    const first = registration();
    await admin.client.preregister({ body: first });
    const second = { ...registration(), [field]: first[field] };
    await expect(admin.client.preregister({ body: second })).rejects.toMatchObject({ status: 409, code });
  });

  it('refuses a retired identity key with 409', async () => {
    const first = registration();
    await admin.client.preregister({ body: first });
    await world.database.db
      .updateTable('devices')
      .set({ identity_key_hash: randomBytes(32).toString('hex') })
      .where('device_uuid', '=', first.deviceUuid)
      .execute();
    const second = { ...registration(), identityKeyHash: first.identityKeyHash };
    await expect(admin.client.preregister({ body: second })).rejects.toMatchObject({ code: 'KEY_IN_USE' });
  });

  it('happens once of 20 requests in the same moment', async () => {
    const body = registration();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => admin.client.preregister({ body })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('writes an audit row with it, and none when it fails', async () => {
    const body = registration();
    await admin.client.preregister({ body });
    await admin.client.preregister({ body }).catch(() => undefined);
    const rows = await world.database.db
      .selectFrom('audit_log')
      .selectAll()
      .where('object_id', '=', body.deviceUuid)
      .execute();
    expect(rows).toMatchObject([
      {
        action: 'device.preregister',
        actor_user_id: admin.userId,
        source: expect.stringMatching(/127\.0\.0\.1$/),
      },
    ]);
  });

  it('allows first use for a day only where the administrator says so', async () => {
    const { identityKeyHash: _, ...serialOnly } = registration();
    const { identityKeyHash: __, ...firstUse } = registration();
    await admin.client.preregister({ body: serialOnly });
    await admin.client.preregister({ body: { ...firstUse, allowFirstUse: true } });
    const untilOf = async (deviceUuid: string) =>
      (
        await world.database.db
          .selectFrom('devices')
          .select('first_use_until')
          .where('device_uuid', '=', deviceUuid)
          .executeTakeFirstOrThrow()
      ).first_use_until;
    expect(await untilOf(serialOnly.deviceUuid)).toBeNull();
    expect((await untilOf(firstUse.deviceUuid))?.getTime()).toBe(world.clock.now() + 86_400_000);
    await expect(
      admin.client.preregister({ body: { ...registration(), allowFirstUse: true } }),
    ).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('makes a new hardware variant with a rule for every line of every type', async () => {
    const body = { ...registration(), hardwareVariant: `v-${randomUUID().slice(0, 8)}` };
    await Promise.all([
      admin.client.preregister({ body }),
      admin.client.preregister({ body: { ...registration(), hardwareVariant: body.hardwareVariant } }),
    ]);
    const rules = await world.database.db
      .selectFrom('device_pin_configs as p')
      .innerJoin('hardware_variants as h', 'h.id', 'p.hardware_variant_id')
      .select(['component_type', 'role'])
      .where('hardware_variant', '=', body.hardwareVariant)
      .orderBy('component_type')
      .execute();
    expect(rules).toEqual([
      { component_type: 'dht22', role: 'data' },
      { component_type: 'led', role: 'line' },
      { component_type: 'pump', role: 'line' },
      { component_type: 'relay', role: 'line' },
    ]);
  });
});

describe('the devices of a person', () => {
  it('are those he owns or may see, with his right on each; an administrator sees all', async () => {
    const [owner, viewer] = [await world.person(), await world.person()];
    const [mine, other] = [await world.device(owner), await world.device(await world.person())];
    await world.share(mine.assignmentId!, viewer);
    const seen = async (person: typeof owner) =>
      (await person.client.listDevices()).items.map(({ deviceUuid, role }) => ({ deviceUuid, role }));
    expect(await seen(owner)).toEqual([{ deviceUuid: mine.deviceUuid, role: 'owner' }]);
    expect(await seen(viewer)).toEqual([{ deviceUuid: mine.deviceUuid, role: 'viewer' }]);
    expect(await seen(admin)).toEqual(
      expect.arrayContaining([
        { deviceUuid: mine.deviceUuid, role: 'admin' },
        { deviceUuid: other.deviceUuid, role: 'admin' },
      ]),
    );
  });
});

describe('a nickname', () => {
  it('is trimmed, stored as it is, however it looks, and taken back', async () => {
    const owner = await world.person();
    const params = { id: (await world.device(owner)).deviceUuid };
    const nickname = `  <b>Tom's "Haus" 🍅</b>'; drop table devices; --`;
    expect((await owner.client.setNickname({ params, body: { nickname } })).nickname).toBe(nickname.trim());
    expect((await owner.client.getDevice({ params })).nickname).toBe(nickname.trim());
    expect((await owner.client.setNickname({ params, body: { nickname: null } })).nickname).toBeNull();
  });

  it('has 80 characters at most and no U+0000', async () => {
    const owner = await world.person();
    const params = { id: (await world.device(owner)).deviceUuid };
    for (const nickname of ['', '   ', 'x'.repeat(81), 'a\0b', '\ud800']) {
      await expect(owner.client.setNickname({ params, body: { nickname } })).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
      });
    }
  });
});
