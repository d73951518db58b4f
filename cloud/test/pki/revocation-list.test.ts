import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRevocationService } from '../../src/pki/revocation-list.ts';
import { type CredentialsWorld, credentialsWorld } from '../support/credentials-world.ts';
import { silentLogger, until } from '../support/quiet.ts';

let world: CredentialsWorld;
beforeEach(async () => {
  world = await credentialsWorld();
}, 60_000);
afterEach(() => world.close());

const service = (crls = world.authority.crls.bind(world.authority)) =>
  createRevocationService({
    database: world.database,
    authority: { ...world.authority, crls } as never,
    clock: world.clock,
    log: silentLogger,
  });
const serialsIn = (lists: readonly string[]) =>
  lists.flatMap((pem) => new x509.X509Crl(pem).entries.map(({ serialNumber }) => serialNumber));

async function owned() {
  const [owner, device] = [await world.user(), await world.device()];
  const { certificateSerial } = await world.claimed(owner, device);
  return { device, certificateSerial, by: { deviceUuid: device.deviceUuid, actorUserId: owner.userId } };
}

describe('the revocation list', () => {
  it('names what was revoked or replaced, and nothing that is accepted or has expired', async () => {
    const [revoked, replaced, good] = [await owned(), await owned(), await owned()];
    await world.recovery.revoke(revoked.by);
    const request = await replaced.device.request({
      grant: 'identity',
      nonce: await world.nonce(replaced.device),
    });
    const { certificateSerial: newer } = await world.credentials.request(request, undefined);
    const revocations = service();
    expect(serialsIn(await revocations.publish())).toEqual([revoked.certificateSerial]);
    world.clock.advance(301_000);
    const lists = await revocations.publish();
    expect(serialsIn(lists).toSorted()).toEqual(
      [revoked.certificateSerial, replaced.certificateSerial].toSorted(),
    );
    expect(serialsIn(lists)).not.toContain(newer);
    expect(serialsIn(lists)).not.toContain(good.certificateSerial);
    expect(revocations.lists()).toBe(lists);
    world.clock.advance(86_400_000);
    expect(serialsIn(await revocations.publish())).toEqual([]);
  });

  it('goes on naming a certificate that tables of an earlier day know nothing of, until it expires', async () => {
    const { certificateSerial, by } = await owned();
    const revocations = service();
    await world.recovery.revoke(by);
    await revocations.publish();
    await world.database.db
      .updateTable('certificates')
      .set({ status: 'ACTIVE', revoked_at: null, revocation_reason: null })
      .where('serial', '=', certificateSerial)
      .execute();
    for (let i = 0; i < 2; i++) expect(serialsIn(await revocations.publish())).toEqual([certificateSerial]);
    world.clock.advance(86_400_000);
    expect(serialsIn(await revocations.publish())).toEqual([]);
  });

  it('names the certificate of a blocked device as long as it is blocked', async () => {
    const { certificateSerial, device } = await owned();
    const revocations = service();
    const setTo = (lifeCycle: 'BLOCKED' | 'ACTIVE') =>
      world.database.db
        .updateTable('devices')
        .set({ life_cycle: lifeCycle })
        .where('device_uuid', '=', device.deviceUuid)
        .execute();
    await setTo('BLOCKED');
    expect(serialsIn(await revocations.publish())).toEqual([certificateSerial]);
    await setTo('ACTIVE');
    expect(serialsIn(await revocations.publish())).toEqual([]);
  });

  it('is published again when somebody is to be named without a notice', async () => {
    const { certificateSerial, by } = await owned();
    const revocations = createRevocationService({
      database: { ...world.database, listen: () => () => undefined },
      authority: world.authority,
      clock: world.clock,
      log: silentLogger,
      lookEveryMs: 30,
    });
    await revocations.start();
    await world.recovery.revoke(by);
    await until(() => serialsIn(revocations.lists()).includes(certificateSerial), 'a list with the serial');
    await revocations.stop();
  });

  it('is published again by itself when a process anywhere revokes', async () => {
    const { certificateSerial, by } = await owned();
    const revocations = service();
    await revocations.start();
    const heard: string[][] = [];
    revocations.onPublished((lists) => void heard.push(serialsIn(lists)));
    await world.recovery.revoke(by);
    await until(() => heard.at(-1)?.includes(certificateSerial), 'a list with the serial');
    await revocations.stop();
  });

  it('shares one further run among calls that come while one is under way', async () => {
    let runs = 0;
    let open: () => void = () => undefined;
    const held = new Promise<void>((go) => {
      open = go;
    });
    const revocations = service(async () => {
      runs += 1;
      if (runs === 1) await held;
      return [`list ${runs}`];
    });
    const asked = [revocations.publish(), revocations.publish(), revocations.publish()];
    open();
    expect(await Promise.all(asked)).toEqual([['list 1'], ['list 2'], ['list 2']]);
  });

  it('stays out when the authority cannot sign a newer one', async () => {
    let dead = false;
    const revocations = service(async () => {
      if (dead) throw new Error('the authority is away');
      return ['good'];
    });
    await revocations.publish();
    dead = true;
    await expect(revocations.publish()).rejects.toThrow('away');
    expect(revocations.lists()).toEqual(['good']);
  });
});
