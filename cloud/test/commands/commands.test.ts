import { randomUUID } from 'node:crypto';
import { parseCommandClaims, topics } from '@ares/protocol';
import { compactVerify, importJWK } from 'jose';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { createCommandService } from '../../src/commands/service.ts';
import type { CommandRequest } from '../../src/commands/types.ts';
import { endAssignment } from '../../src/release/end-assignment.ts';
import { type LiveDevice, type LiveWorld, liveWorld } from '../support/live-world.ts';
import { fakeClock, until } from '../support/quiet.ts';

let world: LiveWorld;
afterEach(async () => {
  await world?.close();
});

const on: CommandRequest = {
  componentType: 'pump',
  action: 'on',
  args: { durationMs: 5_000 },
  ttlSeconds: 30,
};
const accessOf = (device: LiveDevice) => ({
  deviceId: device.deviceId,
  deviceUuid: device.deviceUuid,
  assignmentId: device.assignmentId,
  role: 'owner' as const,
});
const send = (device: LiveDevice, request: Partial<CommandRequest> = {}, waitSeconds = 0) =>
  world.commands.send({
    caller: { userId: device.user.id },
    access: accessOf(device),
    request: { ...on, ...request },
    source: '127.0.0.1',
    waitSeconds,
    signal: new AbortController().signal,
  });
const rowOf = (id: string) =>
  world.database.db.selectFrom('commands').where('id', '=', id).selectAll().executeTakeFirstOrThrow();

async function claimsOf(jws: string) {
  const [key] = world.orders.publicJwks().keys;
  const { payload, protectedHeader } = await compactVerify(jws, await importJWK({ ...key! }, 'EdDSA'));
  const parsed = parseCommandClaims(JSON.parse(Buffer.from(payload).toString()));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return { claims: parsed.value, protectedHeader };
}

describe('sending a command', () => {
  it('signs it for that device, assignment and topic, publishes it, and writes it down', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const { commandId } = await send(device);
    await until(() => device.orders.length === 1, 'the order');
    const [order] = device.orders;
    const { claims, protectedHeader } = await claimsOf(order!.jws);
    expect(order!.topic).toBe(topics.command.build({ ...device, componentType: 'pump', action: 'on' }));
    expect(protectedHeader).toMatchObject({ alg: 'EdDSA', typ: 'command+jwt' });
    expect(claims).toMatchObject({
      aud: device.deviceUuid,
      asg: 1,
      topic: order!.topic,
      jti: commandId,
      seq: 1,
      componentId: device.components['pump'],
      componentType: 'pump',
      action: 'on',
      args: { durationMs: 5_000 },
    });
    expect(claims.exp - claims.iat).toBeCloseTo(30, 2);
    const audit = await world.database.db.selectFrom('audit_log').selectAll().execute();
    expect(audit).toMatchObject([
      { action: 'command.send', object_id: commandId, actor_user_id: device.user.id },
    ]);
    await until(async () => (await rowOf(commandId)).published_at !== null, 'the note that it was published');
  });

  it('numbers the commands of a component without a gap or a repetition, also 20 at once', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await Promise.all(Array.from({ length: 20 }, () => send(device)));
    const rows = await world.database.db.selectFrom('commands').select('seq').orderBy('seq').execute();
    expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  it.each([
    ['CMD-09 an unknown action', { action: 'explode' }, 'UNKNOWN_ACTION'],
    ['CMD-09 a sensor told to act', { componentType: 'dht22' }, 'UNKNOWN_ACTION'],
    ['CMD-09 no duration', { args: {} }, 'INVALID_REQUEST'],
    ['CMD-09 a duration of 0', { args: { durationMs: 0 } }, 'INVALID_REQUEST'],
    ['CMD-09 a duration of -1', { args: { durationMs: -1 } }, 'INVALID_REQUEST'],
    ['CMD-09 a duration of 1e9', { args: { durationMs: 1e9 } }, 'INVALID_REQUEST'],
    ['CMD-09 a duration as text', { args: { durationMs: '5' } }, 'INVALID_REQUEST'],
    ['CMD-09 a duration of half a millisecond', { args: { durationMs: 0.5 } }, 'INVALID_REQUEST'],
    ['a duration for off', { action: 'off', args: { durationMs: 5 } }, 'INVALID_REQUEST'],
    ['arguments of 5 KB', { action: 'off', args: { x: 'y'.repeat(5_000) } }, 'INVALID_REQUEST'],
    ['a type that is not attached', { componentType: 'led' }, 'NOT_FOUND'],
    ['no component at all', { componentType: undefined }, 'INVALID_REQUEST'],
  ] as const)('refuses %s, and sends nothing', async (_what, request, code) => {
    world = await liveWorld();
    const device = await world.newDevice();
    await expect(send(device, request as Partial<CommandRequest>)).rejects.toMatchObject({ code });
    expect(await world.database.db.selectFrom('commands').selectAll().execute()).toEqual([]);
  });

  it('refuses a component of another device, and a type of which there are two', async () => {
    world = await liveWorld();
    const [device, other] = [await world.newDevice(), await world.newDevice()];
    await expect(
      send(device, { componentType: undefined, componentId: other.components['pump'] }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { db } = world.database;
    const pump = await db
      .selectFrom('attached_components')
      .where('id', '=', device.components['pump']!)
      .select(['device_id', 'assignment_id', 'component_type_id'])
      .executeTakeFirstOrThrow();
    await db
      .insertInto('attached_components')
      .values({ ...pump, pins: '{"line":5}', config: '{}' })
      .execute();
    await expect(send(device)).rejects.toMatchObject({ code: 'AMBIGUOUS_COMPONENT' });
    await send(device, { componentId: device.components['pump'] });
  });

  it('CMD-14 refuses the former owner, whose assignment has ended', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await world.database.db.updateTable('assignments').set({ ended_at: new Date() }).execute();
    await expect(send(device)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('leaves no command open when the device is given away at the same moment', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const isSigning = Promise.withResolvers<void>();
    const mayGoOn = Promise.withResolvers<void>();
    const commands = createCommandService({
      ...world,
      newUuid: randomUUID,
      orders: {
        async sign(type, claims) {
          isSigning.resolve();
          await mayGoOn.promise;
          return await world.orders.sign(type, claims);
        },
      },
    });
    const sent = commands.send({
      caller: { userId: device.user.id },
      access: accessOf(device),
      request: on,
      source: '127.0.0.1',
      signal: new AbortController().signal,
    });
    await isSigning.promise;
    const ended = world.database.db
      .transaction()
      .execute((trx) => endAssignment(trx, { assignmentId: device.assignmentId, at: new Date() }));
    const waits = until(async () => {
      const { rows } = await sql<{ waits: boolean }>`
        select exists (select from pg_stat_activity where wait_event_type = 'Lock'
          and datname = current_database()) as waits`.execute(world.database.db);
      return rows[0]?.waits;
    }, 'the end to wait for the command');
    await Promise.race([ended, waits]);
    mayGoOn.resolve();
    const { commandId } = await sent;
    await ended;
    expect(await rowOf(commandId)).toMatchObject({ code: 'ASSIGNMENT_ENDED' });
  });
});

describe('a list of commands', () => {
  it('is the same however it is cut, newest first, and may be narrowed to a status', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const sent: string[] = [];
    for (let n = 0; n < 5; n += 1) sent.unshift((await send(device)).commandId);
    await world.database.db
      .updateTable('commands')
      .set({ status: 'EXPIRED', finished_at: new Date() })
      .where('id', '=', sent[2]!)
      .execute();
    const list = async (limit: number, more: object = {}) => {
      const ids: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await world.commands.list(
          accessOf(device),
          { userId: device.user.id },
          {
            limit,
            cursor,
            ...more,
          },
        );
        ids.push(...page.items.map(({ id }) => id));
        if (page.nextCursor === null) return ids;
        cursor = page.nextCursor;
      }
    };
    for (const limit of [1, 2, 5, 10]) expect(await list(limit)).toEqual(sent);
    expect(await list(2, { status: 'EXPIRED' })).toEqual([sent[2]]);
  });
});

describe('the outcome of a command', () => {
  const result = (commandId: string, over: object = {}) => ({
    commandId,
    outcome: 'COMPLETED',
    verified: true,
    ...over,
  });

  it('is stored, acknowledged, and answered to who waits', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const waiting = send(device, {}, 10);
    await until(() => device.orders.length === 1, 'the order');
    const { claims } = await claimsOf(device.orders[0]!.jws);
    const leaseEndsAt = Date.now() + 5_000;
    await device.results([result(claims.jti, { leaseEndsAt })]);
    const { command } = await waiting;
    expect(command).toMatchObject({
      status: 'COMPLETED',
      verified: true,
      leaseEndsAt: new Date(leaseEndsAt),
    });
    await until(() => device.acks.length === 1, 'the acknowledgement');
    expect(device.acks[0]).toMatchObject({ stored: [], rejected: [], results: [claims.jti] });
  });

  it('is not answered when the time of waiting is over', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const { command } = await send(device, {}, 0.05);
    expect(command).toBeUndefined();
  });

  it('CMD-06 is what the device said first, however often it says something', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const { commandId } = await send(device);
    await device.results([result(commandId)]);
    await device.results([result(commandId, { outcome: 'FAILED', code: 'DRIVER_FAILED' })]);
    await until(() => device.acks.length === 2, 'both acknowledgements');
    expect(await rowOf(commandId)).toMatchObject({ status: 'COMPLETED', code: null });
  });

  it('cannot be told by another device', async () => {
    world = await liveWorld();
    const [device, other] = [await world.newDevice(), await world.newDevice()];
    const { commandId } = await send(device);
    await other.results([result(commandId)]);
    await until(() => other.acks.length === 1, 'the answer');
    expect((await rowOf(commandId)).status).toBe('PENDING');
  });

  it('is EXPIRED when the device never answers, and the truth when it does answer late', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice();
    const { commandId } = await send(device, { ttlSeconds: 10 });
    clock.advance(60_000);
    await world.dispatch.sweep();
    expect((await rowOf(commandId)).status).toBe('PENDING');
    clock.advance(11_000);
    await world.dispatch.sweep();
    expect(await rowOf(commandId)).toMatchObject({ status: 'EXPIRED', code: 'NO_ANSWER' });
    await device.results([result(commandId)]);
    await until(async () => (await rowOf(commandId)).status === 'COMPLETED', 'the correction');
    await device.results([result(commandId, { outcome: 'FAILED' })]);
    await until(() => device.acks.length === 2, 'the last answer');
    expect((await rowOf(commandId)).status).toBe('COMPLETED');
  });
});

describe('NET-07 a command that was committed and never published', () => {
  const unpublish = () => world.database.db.updateTable('commands').set({ published_at: null }).execute();

  it('is published by the sweep', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await send(device);
    await until(() => device.orders.length === 1, 'the order');
    await world.dispatch.close();
    await unpublish();
    await world.dispatch.sweep();
    await until(() => device.orders.length === 2, 'the order again');
    expect(device.orders[0]).toEqual(device.orders[1]);
    await world.dispatch.sweep();
    expect(device.orders).toHaveLength(2);
  });

  it('CMD-05 reaches a device that was away when it comes, until it has expired', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice();
    await device.client.endAsync(true);
    await send(device, { ttlSeconds: 5 });
    clock.advance(2_000);
    await send(device, { action: 'stop', args: {}, ttlSeconds: 60 });
    const again = await world.connect(device);
    const heard: string[] = [];
    again.on('message', (topic, payload) => {
      if (!topic.endsWith('/ack')) heard.push(payload.toString());
    });
    await again.subscribeAsync(`commands/${device.deviceUuid}/#`);
    clock.advance(4_000);
    const birth = await import('@ares/protocol').then(({ signMessage }) =>
      signMessage(
        topics.connectionStatus.build(device),
        device.header({
          event: 'online',
          connectionId: device.connectionId,
          certificateSerial: device.serial,
          agentVersion: '0.1.0',
        }),
        device.mac,
      ),
    );
    await again.publishAsync(topics.connectionStatus.build(device), Buffer.from(birth));
    await until(() => heard.length > 0, 'the pending order');
    expect(heard).toHaveLength(1);
    expect((await claimsOf(heard[0]!)).claims.action).toBe('stop');
  });
});
