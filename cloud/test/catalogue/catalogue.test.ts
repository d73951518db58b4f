import { randomBytes } from 'node:crypto';
import { allItems } from '@ares/protocol/http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

type Person = Awaited<ReturnType<HttpWorld['person']>>;

let world: HttpWorld;
let developer: Person;
let owner: Person;
beforeAll(async () => {
  world = await httpWorld();
  [developer, owner] = [await world.person(['developer']), await world.person()];
});
afterAll(() => world.close());

const change = {
  kind: 'actuator' as const,
  pinRoles: ['line'],
  metrics: [{ metric: 'state', unit: '1', min: 0, max: 1, stateKey: 'valve' }],
  actions: [{ action: 'on', longestRunMs: 60_000 }, { action: 'off' }],
  sampleIntervalMs: 1_000,
};
async function newType() {
  const componentType = `valve-${randomBytes(4).toString('hex')}`;
  await developer.client.addComponentType({ body: { componentType, ...change } });
  return componentType;
}
const attach = async (componentType: string, pin: number) => {
  const device = await world.device(owner);
  const params = { id: device.deviceUuid };
  const { componentId } = await owner.client.attachComponent({
    params,
    body: { componentType, pins: { line: pin } },
  });
  return { ...device, params, componentId };
};

describe('the catalogue of component types', () => {
  it('is paged by name and filtered', async () => {
    await newType();
    const names = async (query: object) =>
      (
        await allItems((cursor) => owner.client.listComponentTypes({ query: { ...query, cursor, limit: 2 } }))
      ).map(({ componentType }) => componentType);
    expect(await names({ builtIn: 'true' })).toEqual([
      'cpu',
      'dht22',
      'led',
      'pump',
      'relay',
      'soil-moisture',
    ]);
    expect(await names({ kind: 'sensor' })).toEqual(['cpu', 'dht22', 'soil-moisture']);
    expect(await names({ text: 'valve', builtIn: 'true' })).toEqual([]);
  });

  it('changes a type that nothing came with, for the devices that have it too, and by its version', async () => {
    const componentType = await newType();
    const { deviceUuid, deviceId } = await attach(componentType, 17);
    world.published.length = 0;
    const params = { componentType };
    let ifMatch = '';
    await owner.client.getComponentType({ params, onETag: (etag) => (ifMatch = etag) });
    const body = {
      ...change,
      metrics: [...change.metrics, { metric: 'flow', unit: 'L/min', min: 0, max: 9, stateKey: 'valve_flow' }],
    };
    expect(await developer.client.updateComponentType({ params, body, ifMatch })).toMatchObject({
      componentType,
      builtIn: false,
      metrics: body.metrics,
    });
    expect(world.published).toEqual([{ deviceUuid, revision: 2 }]);
    expect((await world.components.forDevice(deviceId)).types).toMatchObject([{ metrics: body.metrics }]);
    await expect(developer.client.updateComponentType({ params, body, ifMatch })).rejects.toMatchObject({
      status: 412,
    });
  });

  it('keeps the lines and metrics of what devices have', async () => {
    const componentType = await newType();
    await attach(componentType, 17);
    const update = (body: typeof change) =>
      developer.client.updateComponentType({ params: { componentType }, body });
    await expect(update({ ...change, pinRoles: [] })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(update({ ...change, metrics: [] })).rejects.toMatchObject({ code: 'CONFLICT' });
    const other = [{ ...change.metrics[0]!, unit: '%' }];
    await expect(update({ ...change, metrics: other })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('has what came with Ares read-only', async () => {
    const params = { componentType: 'pump' };
    await expect(developer.client.updateComponentType({ params, body: change })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await expect(developer.client.deleteComponentType({ params })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });

  it('loses a type that was never used, and none that is or was', async () => {
    const unused = { componentType: await newType() };
    await developer.client.deleteComponentType({ params: unused });
    await expect(owner.client.getComponentType({ params: unused })).rejects.toMatchObject({ status: 404 });
    const used = { componentType: await newType() };
    const { params, componentId } = await attach(used.componentType, 17);
    await expect(developer.client.deleteComponentType({ params: used })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await owner.client.detachComponent({ params: { ...params, componentId } });
    await expect(developer.client.deleteComponentType({ params: used })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });
});

describe('an attached component', () => {
  it('gets another name and other settings, which the device loads', async () => {
    const { params, componentId, deviceId } = await attach('pump', 17);
    const one = { params: { ...params, componentId } };
    let ifMatch = '';
    await owner.client.getComponent({ ...one, onETag: (etag) => (ifMatch = etag) });
    world.published.length = 0;
    const edited = await owner.client.updateComponent({ ...one, body: { name: 'Basil' }, ifMatch });
    expect(edited).toMatchObject({ componentId, name: 'Basil', config: {}, pins: { line: 17 } });
    expect(world.published).toMatchObject([{ revision: 2 }]);
    await expect(
      owner.client.updateComponent({ ...one, body: { config: { safe: 1 } }, ifMatch }),
    ).rejects.toMatchObject({ status: 412, code: 'PRECONDITION_FAILED' });
    await owner.client.updateComponent({ ...one, body: { name: null, config: { safe: 1 } } });
    const { items } = await world.components.forDevice(deviceId);
    expect(items).toEqual([{ componentId, componentType: 'pump', pins: { line: 17 }, config: { safe: 1 } }]);
    await expect(
      owner.client.updateComponent({ ...one, body: { config: { text: 'x'.repeat(5_000) } } }),
    ).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});

describe('hardware variants', () => {
  it('are added with rules for every type, described, and deleted while nothing is built of them', async () => {
    const name = { hardwareVersion: 'pi-5', hardwareVariant: `v-${randomBytes(4).toString('hex')}` };
    const added = await developer.client.addHardwareVariant({ body: name });
    expect(added).toMatchObject({ ...name, description: null });
    await expect(developer.client.addHardwareVariant({ body: name })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const params = { variantId: added.variantId };
    await developer.client.updateHardwareVariant({
      params,
      body: { description: 'with a fan' },
      ifMatch: '"1"',
    });
    await expect(
      developer.client.updateHardwareVariant({ params, body: { description: null }, ifMatch: '"1"' }),
    ).rejects.toMatchObject({ status: 412 });
    const rules = await owner.client.listPinRules({ query: { ...name, componentType: 'pump' } });
    expect(rules.items).toMatchObject([{ ...name, componentType: 'pump', role: 'line' }]);
    await developer.client.deleteHardwareVariant({ params });
    await expect(owner.client.getHardwareVariant({ params })).rejects.toMatchObject({ status: 404 });
    expect((await owner.client.listPinRules({ query: name })).items).toEqual([]);
  });

  it('stay while there are devices of them', async () => {
    await world.device(owner);
    const { items } = await owner.client.listHardwareVariants({ query: { hardwareVersion: 'sim-1' } });
    const { variantId } = items.find(({ hardwareVariant }) => hardwareVariant === 'greenhouse')!;
    await expect(developer.client.deleteHardwareVariant({ params: { variantId } })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });
});

describe('pin rules', () => {
  const name = { hardwareVersion: 'sim-1', hardwareVariant: 'greenhouse' };

  it('decide at the next attachment, and never take the line from what sits on it', async () => {
    const componentType = await newType();
    const { params } = await attach(componentType, 22);
    const { items } = await owner.client.listPinRules({ query: { ...name, componentType } });
    const rule = { params: { configId: items[0]!.configId } };
    await expect(developer.client.updatePinRule({ ...rule, body: { pins: [17] } })).rejects.toMatchObject({
      code: 'COMPONENT_IN_USE',
    });
    await expect(developer.client.deletePinRule(rule)).rejects.toMatchObject({ code: 'COMPONENT_IN_USE' });
    await developer.client.updatePinRule({ ...rule, body: { pins: [17, 22] }, ifMatch: '"1"' });
    await expect(
      owner.client.attachComponent({ params, body: { componentType, pins: { line: 27 } } }),
    ).rejects.toMatchObject({ code: 'PIN_NOT_ALLOWED' });
    await owner.client.attachComponent({ params, body: { componentType, pins: { line: 17 } } });
  });

  it('are made for lines that the type has, once', async () => {
    const componentType = await newType();
    const rule = { ...name, componentType, role: 'line', pins: [17] };
    const add = (body: typeof rule) => developer.client.addPinRule({ body });
    await expect(add(rule)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(add({ ...rule, role: 'spare' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(add({ ...rule, componentType: 'none' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(add({ ...rule, hardwareVariant: 'none' })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
    await expect(add({ ...rule, pins: [17, 17] })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    const { items } = await owner.client.listPinRules({ query: { ...name, componentType } });
    await developer.client.deletePinRule({ params: { configId: items[0]!.configId } });
    expect(await add(rule)).toMatchObject(rule);
    await expect(owner.client.addPinRule({ body: rule })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
