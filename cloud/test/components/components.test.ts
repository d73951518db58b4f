import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';
import { hearNotices } from '../support/notices.ts';
import { until } from '../support/quiet.ts';

let world: HttpWorld;
let owner: Awaited<ReturnType<HttpWorld['person']>>;
let device: Awaited<ReturnType<HttpWorld['device']>>;
let params: { id: string };
beforeAll(async () => {
  world = await httpWorld();
  owner = await world.person();
});
beforeEach(async () => {
  device = await world.device(owner);
  params = { id: device.deviceUuid };
  world.published.length = 0;
});
afterAll(() => world.close());

const attach = (componentType: string, pins: Record<string, number> = {}, extra: object = {}) =>
  owner.client.attachComponent({ params, body: { componentType, pins, ...extra } });

describe('attaching a component', () => {
  it('shows it to owner and device, raises the revision and tells the device', async () => {
    const { heard, stop } = await hearNotices(world.database, 'device', { deviceUuid: 'probe' });
    const pump = await attach('pump', { line: 17 }, { name: 'Tomatoes', config: { safe: 0 } });
    expect(pump).toEqual({
      componentId: expect.any(Number),
      componentType: 'pump',
      name: 'Tomatoes',
      pins: { line: 17 },
      config: { safe: 0 },
    });
    const cpu = await attach('cpu');
    expect((await owner.client.listComponents({ params })).items).toEqual([pump, cpu]);
    expect(await world.components.forDevice(device.deviceId)).toMatchObject({
      items: [pump, cpu],
      types: [{ componentType: 'cpu' }, { componentType: 'pump' }],
      rules: [{ componentType: 'pump', role: 'line' }],
      revision: 2,
    });
    expect(world.published).toEqual([
      { deviceUuid: device.deviceUuid, revision: 1 },
      { deviceUuid: device.deviceUuid, revision: 2 },
    ]);
    await until(() => heard.some(({ deviceUuid }) => deviceUuid === device.deviceUuid), 'the notice');
    stop();
  });

  it('puts two parallel requests on one pin in order: one is there, the other is 409', async () => {
    for (let round = 0; round < 5; round += 1) {
      device = await world.device(owner);
      params = { id: device.deviceUuid };
      const outcomes = await Promise.allSettled([
        attach('pump', { line: 17 }),
        attach('led', { line: 17 }),
        attach('dht22', { data: 17 }),
      ]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected')
          expect(outcome.reason).toMatchObject({ status: 409, code: 'PIN_CONFLICT' });
      }
      expect((await owner.client.listComponents({ params })).items).toHaveLength(1);
    }
  });

  const refused: [string, string, Record<string, number>, string][] = [
    ['a reserved pin', 'pump', { line: 0 }, 'PIN_RESERVED'],
    ['a pin beyond the header', 'pump', { line: 40 }, 'PIN_NOT_ALLOWED'],
    ['a line that the type does not have', 'pump', { line: 17, spare: 4 }, 'PIN_NOT_ALLOWED'],
    ['pins for a type without lines', 'cpu', { line: 4 }, 'PIN_NOT_ALLOWED'],
    ['a missing pin', 'pump', {}, 'INVALID_REQUEST'],
    ['an unknown type', 'flux-capacitor', {}, 'INVALID_REQUEST'],
    ['a negative pin', 'pump', { line: -1 }, 'INVALID_REQUEST'],
  ];
  it.each(refused)('refuses %s and changes nothing', async (_, type, pins, code) => {
    await expect(attach(type, pins)).rejects.toMatchObject({ code });
    expect((await owner.client.listComponents({ params })).items).toEqual([]);
    expect((await world.components.forDevice(device.deviceId)).revision).toBe(0);
    expect(world.published).toEqual([]);
  });

  it('obeys the rules of the hardware variant', async () => {
    await world.database.db
      .insertInto('hardware_variants')
      .values({ hardware_version: 'sim-1', hardware_variant: 'bare' })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await world.database.db
      .updateTable('devices')
      .set((column) => ({
        hardware_variant_id: column
          .selectFrom('hardware_variants')
          .select('id')
          .where('hardware_variant', '=', 'bare'),
      }))
      .where('id', '=', device.deviceId)
      .execute();
    await expect(attach('pump', { line: 17 })).rejects.toMatchObject({ code: 'PIN_NOT_ALLOWED' });
  });

  it('holds 64 components at most, and a config of 4 KiB', async () => {
    for (let n = 0; n < 64; n += 1) await attach('cpu');
    await expect(attach('cpu')).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(attach('cpu', {}, { config: { note: 'x'.repeat(4_097) } })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
  });

  it('is refused to an administrator while nobody owns the device', async () => {
    const admin = await world.person(['prime_admin']);
    const free = await world.device();
    await expect(
      admin.client.attachComponent({ params: { id: free.deviceUuid }, body: { componentType: 'cpu' } }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is refused when the device was given away since the request was let in', async () => {
    const access = (await world.devices.accessOf(owner.caller, device.deviceUuid))!;
    await world.database.db
      .updateTable('assignments')
      .set({ ended_at: new Date() })
      .where('id', '=', device.assignmentId!)
      .execute();
    const next = await world.person();
    await world.database.db
      .insertInto('assignments')
      .values({ device_id: device.deviceId, number: 2, user_id: next.userId })
      .execute();
    const component = { componentType: 'cpu', pins: {}, config: {} };
    await expect(
      world.components.attach({ caller: owner.caller, access, source: 'test', component }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await next.client.listComponents({ params })).items).toEqual([]);
  });
});

describe('detaching a component', () => {
  it('frees its pin, once', async () => {
    const { componentId } = await attach('pump', { line: 17 });
    await owner.client.detachComponent({ params: { ...params, componentId } });
    expect((await owner.client.listComponents({ params })).items).toEqual([]);
    await expect(owner.client.detachComponent({ params: { ...params, componentId } })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await attach('led', { line: 17 });
    expect(world.published.map(({ revision }) => revision)).toEqual([1, 2, 3]);
  });

  it('API-01 reaches no component of another device, also not through an own one', async () => {
    const stranger = await world.person();
    const theirs = await world.device(stranger);
    const { componentId } = await attach('pump', { line: 17 });
    await expect(
      stranger.client.detachComponent({ params: { id: theirs.deviceUuid, componentId } }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await owner.client.listComponents({ params })).items).toHaveLength(1);
  });
});

describe('the catalogue', () => {
  const valve = {
    componentType: 'valve',
    kind: 'actuator' as const,
    pinRoles: ['line'],
    metrics: [{ metric: 'state', unit: '1', min: 0, max: 1, stateKey: 'valve' }],
    actions: [{ action: 'on', longestRunMs: 60_000 }, { action: 'off' }],
    sampleIntervalMs: 1_000,
  };

  it('has the built-in types, and is filled the same however often', async () => {
    const before = await owner.client.listComponentTypes();
    expect(before.items.map(({ componentType }) => componentType)).toEqual([
      'cpu',
      'dht22',
      'led',
      'pump',
      'relay',
      'soil-moisture',
    ]);
    await Promise.all([world.components.seedCatalogue(), world.components.seedCatalogue()]);
    expect(await owner.client.listComponentTypes()).toEqual(before);
    const metrics = await world.database.db.selectFrom('metrics').selectAll().execute();
    expect(metrics).toHaveLength(13);
  });

  it('takes a type of a developer, once, and boards that are known may carry it', async () => {
    const developer = await world.person(['developer']);
    expect(await developer.client.addComponentType({ body: valve })).toEqual({ ...valve, builtIn: false });
    await expect(developer.client.addComponentType({ body: valve })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await expect(
      developer.client.addComponentType({ body: { ...valve, componentType: 'pump' } }),
    ).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await attach('valve', { line: 22 })).toMatchObject({ componentType: 'valve' });
    expect((await world.components.forDevice(device.deviceId)).types).toEqual([valve]);
  });
});
