import { hkdfSync } from 'node:crypto';
import { parseWifiChangeClaims, topics, WIFI_CHANGE_KEY_INFO } from '@ares/protocol';
import { compactDecrypt, compactVerify, importJWK } from 'jose';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { endAssignment } from '../../src/release/end-assignment.ts';
import { type LiveDevice, type LiveWorld, liveWorld } from '../support/live-world.ts';
import { fakeClock, until } from '../support/quiet.ts';

let world: LiveWorld;
afterEach(async () => {
  await world?.close();
});

const CANARY = 'canary basil 4711';
const SSID = 'canary-network-0815';

const accessOf = (device: LiveDevice) => ({
  deviceId: device.deviceId,
  deviceUuid: device.deviceUuid,
  assignmentId: device.assignmentId,
  role: 'owner' as const,
});
const change = (device: LiveDevice, waitSeconds = 0) =>
  world.wifiChanges.change({
    caller: { userId: device.user.id },
    access: accessOf(device),
    credentials: { ssid: SSID, password: CANARY },
    ttlSeconds: 60,
    source: '127.0.0.1',
    waitSeconds,
    signal: new AbortController().signal,
  });
const rowOf = (id: string) =>
  world.database.db.selectFrom('commands').where('id', '=', id).selectAll().executeTakeFirstOrThrow();
const list = async (device: LiveDevice) =>
  (await world.commands.list(accessOf(device), { userId: device.user.id }, { limit: 10 })).items;

async function claimsOf(jws: string) {
  const [key] = world.orders.publicJwks().keys;
  const { payload, protectedHeader } = await compactVerify(jws, await importJWK({ ...key! }, 'EdDSA'));
  const parsed = parseWifiChangeClaims(JSON.parse(Buffer.from(payload).toString()));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return { claims: parsed.value, protectedHeader };
}

/** Every value of every table, as text. */
async function everythingStored(): Promise<string> {
  const { rows } = await sql<{ all: string }>`
    select string_agg(query_to_xml('select * from ' || quote_ident(tablename), true, false, '')::text, '') as all
    from pg_tables where schemaname = 'public'`.execute(world.database.db);
  return rows[0]?.all ?? '';
}

describe('an order to change the Wi-Fi', () => {
  it('is signed for that device, assignment and topic, and only its device can open it', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const { commandId } = await change(device);
    await until(() => device.orders.length === 1, 'the order');
    const [order] = device.orders;
    const { claims, protectedHeader } = await claimsOf(order!.jws);
    expect(order!.topic).toBe(topics.wifiChange.build(device));
    expect(protectedHeader).toMatchObject({ alg: 'EdDSA', typ: 'wifi-change+jwt' });
    const { deviceUuid: aud } = device;
    expect(claims).toMatchObject({ aud, asg: 1, topic: order!.topic, jti: commandId, seq: 1 });
    // Sealing comes between the two.
    expect(claims.exp - claims.iat).toBeLessThanOrEqual(60);
    expect(claims.exp - claims.iat).toBeGreaterThan(50);
    const key = hkdfSync('sha256', device.secret, aud, WIFI_CHANGE_KEY_INFO, 32);
    const { plaintext, protectedHeader: sealed } = await compactDecrypt(
      claims.credentials,
      new Uint8Array(key),
    );
    expect(sealed).toEqual({ alg: 'dir', enc: 'A256GCM', kid: 'a1.1' });
    expect(JSON.parse(Buffer.from(plaintext).toString())).toEqual({ ssid: SSID, password: CANARY });
    expect((await claimsOf((await rowOf(commandId)).jws)).claims.jti).toBe(commandId);
  });

  it('SEC-02 leaves neither name nor password in the database', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await change(device);
    const stored = await everythingStored();
    expect(stored).toContain('wifi.change');
    for (const secret of [CANARY, SSID]) {
      expect(stored).not.toContain(secret);
      expect(stored).not.toContain(Buffer.from(secret).toString('base64').slice(0, 16));
      expect(stored).not.toContain(Buffer.from(secret).toString('hex'));
    }
  });

  it('ends as the device says, stands among its commands, and then is kept without the credentials', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    const waiting = change(device, 10);
    await until(() => device.orders.length === 1, 'the order');
    const { claims } = await claimsOf(device.orders[0]!.jws);
    const outcome = { outcome: 'FAILED', code: 'WIFI_WRONG_PASSWORD', detail: 'The password is wrong.' };
    await device.results([{ commandId: claims.jti, ...outcome }]);
    const { command } = await waiting;
    expect(command).toMatchObject({ status: 'FAILED', code: 'WIFI_WRONG_PASSWORD' });
    expect(await list(device)).toMatchObject([
      { id: claims.jti, componentId: 0, componentType: 'wifi', action: 'change', args: {} },
    ]);
    expect((await rowOf(claims.jti)).jws).toBe('');
  });

  it('numbers twenty at once without a gap', async () => {
    world = await liveWorld();
    const device = await world.newDevice();
    await Promise.all(Array.from({ length: 20 }, () => change(device)));
    const rows = await world.database.db.selectFrom('commands').select('seq').orderBy('seq').execute();
    expect(rows.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  it('waits for a device that tries and comes back before it is given up', async () => {
    const clock = fakeClock();
    world = await liveWorld({ clock });
    const device = await world.newDevice();
    const { commandId } = await change(device);
    clock.advance(10 * 60_000);
    await world.dispatch.sweep();
    expect((await rowOf(commandId)).status).toBe('PENDING');
    clock.advance(10 * 60_000);
    await world.dispatch.sweep();
    expect(await rowOf(commandId)).toMatchObject({ status: 'EXPIRED', code: 'NO_ANSWER', jws: '' });
  });

  it('is refused without an owner, and for a device that has no secret or is blocked', async () => {
    world = await liveWorld();
    const { db } = world.database;
    const device = await world.newDevice();
    await db
      .updateTable('devices')
      .set({ life_cycle: 'BLOCKED' })
      .where('id', '=', device.deviceId)
      .execute();
    await expect(change(device)).rejects.toMatchObject({ code: 'CONFLICT' });
    await db.updateTable('devices').set({ life_cycle: 'ACTIVE' }).where('id', '=', device.deviceId).execute();
    await db.deleteFrom('assignment_secrets').where('assignment_id', '=', device.assignmentId).execute();
    await expect(change(device)).rejects.toMatchObject({ code: 'CONFLICT' });
    await db
      .transaction()
      .execute((trx) => endAssignment(trx, { assignmentId: device.assignmentId, at: new Date() }));
    await expect(change(device)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await db.selectFrom('commands').selectAll().execute()).toEqual([]);
  });
});
