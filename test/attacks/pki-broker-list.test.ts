import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerWorld, brokerWorld } from '../../cloud/test/support/broker-world.ts';
import { fakeClock, until } from '../../cloud/test/support/quiet.ts';
import { hasMosquitto } from '../support/mosquitto-server.ts';

/** Mosquitto 2.0 goes on without any list when it cannot read one: what is published must be right, and be seen to be. */
describe.skipIf(!hasMosquitto())('PKI-02 a revocation list for Mosquitto', () => {
  let world: BrokerWorld;
  afterEach(async () => {
    await world?.close();
  });

  const start = async () => {
    world = await brokerWorld({ kind: 'mosquitto' });
    return { ...world.mosquitto!, list: join(world.mosquitto!.folder, 'crl.pem') };
  };
  /** The broker reads another list than the one that is published, as after a mistake in its configuration. */
  const readElsewhere = async () => {
    const { folder, server, list } = await start();
    const elsewhere = join(folder, 'elsewhere.pem');
    await copyFile(list, elsewhere);
    const config = join(folder, 'mosquitto.conf');
    await writeFile(config, (await readFile(config, 'utf8')).replaceAll(list, elsewhere));
    await server.stop();
    await server.start();
    await until(() => world.mosquitto!.broker.connected(), 'the broker to be back');
    return { server, list, elsewhere };
  };
  const publish = async () => world.setCrls(await world.crls());
  const alarms = () => world.events.filter(({ code }) => code === 'BROKER_SUSPECTED');

  it.each([
    ['nothing', () => []],
    ['garbage', () => ['garbage']],
    [
      'a list with the label that OpenSSL does not read',
      (lists: readonly string[]) => lists.map((pem) => pem.replaceAll('X509 CRL', 'CRL')),
    ],
    [
      'a list that is cut off',
      (lists: readonly string[]) => lists.map((pem) => `${pem.slice(0, 200)}\n-----END X509 CRL-----\n`),
    ],
    ['no list of the issuer of devices', (lists: readonly string[]) => lists.slice(0, 1)],
    ['a list twice in one text', (lists: readonly string[]) => [lists.join('\n')]],
  ])('is not replaced by %s', async (_, spoil) => {
    const { list } = await start();
    const before = await readFile(list, 'utf8');
    const revoked = await world.issue();
    await world.setCrls(await world.crls([{ serial: revoked.serial, at: new Date() }]));
    const inForce = await readFile(list, 'utf8');
    expect(inForce).not.toBe(before);
    await expect(world.setCrls(spoil(await world.crls()))).rejects.toMatchObject({
      code: 'BROKER_FILES_REFUSED',
    });
    expect(await readFile(list, 'utf8')).toBe(inForce);
    await expect(world.connect(revoked)).rejects.toThrow();
  });

  it('is not replaced by one that ends within a day', async () => {
    const clock = fakeClock();
    world = await brokerWorld({ kind: 'mosquitto', clock });
    const list = join(world.mosquitto!.folder, 'crl.pem');
    const before = await readFile(list, 'utf8');
    const lists = await world.crls();
    clock.advance(50 * 3_600_000);
    await expect(world.setCrls(lists)).rejects.toMatchObject({
      message: expect.stringContaining('within a day'),
    });
    expect(await readFile(list, 'utf8')).toBe(before);
  });

  it('is not replaced by that of a stranger, by one that nobody signed, nor by one without the canary', async () => {
    const { list } = await start();
    const before = await readFile(list, 'utf8');
    const other = await brokerWorld();
    await expect(world.setCrls(await other.crls())).rejects.toMatchObject({
      message: expect.stringContaining('of a stranger'),
    });
    await other.close();
    await expect(world.setCrls((await world.crls()).map(forge))).rejects.toMatchObject({
      message: expect.stringContaining('not signed by it'),
    });
    await world.crls();
    await expect(world.setCrls(await world.ca.crls([]))).rejects.toMatchObject({
      message: expect.stringContaining('leaves out'),
    });
    expect(await readFile(list, 'utf8')).toBe(before);
  });

  it('that does not come into force is taken back, with an alarm', async () => {
    const { list } = await readElsewhere();
    const before = await readFile(list, 'utf8');
    await expect(publish()).rejects.toMatchObject({ code: 'PUBLICATION_FAILED' });
    expect(await readFile(list, 'utf8')).toBe(before);
    expect(alarms()).not.toEqual([]);
    const device = await world.issue();
    expect((await world.connect(device)).connected).toBe(true);
  });

  it('that the broker lost ends the broker, which would let everybody in', async () => {
    const { server, elsewhere } = await readElsewhere();
    await rm(elsewhere);
    const pid = server.pid()!;
    await expect(publish()).rejects.toMatchObject({ code: 'PUBLICATION_FAILED' });
    expect(alarms().length).toBeGreaterThan(1);
    await until(() => !isRunning(pid), 'the broker to be ended');
    // It does not start without a list.
    await expect(server.start()).rejects.toThrow('ended');
  });

  it('that the broker lost while nobody directed it ends the broker at the first look', async () => {
    const { server, elsewhere } = await readElsewhere();
    await rm(elsewhere);
    const pid = server.pid()!;
    process.kill(pid, 'SIGHUP');
    await expect(world.mosquitto!.redirect([])).rejects.toMatchObject({ code: 'PUBLICATION_FAILED' });
    await until(() => !isRunning(pid), 'the broker to be ended');
  });

  it('that refuses everybody is an alarm as well', async () => {
    const { elsewhere } = await readElsewhere();
    const old = await brokerWorld({ clock: fakeClock(Date.now() - 100 * 3_600_000) });
    await writeFile(elsewhere, (await old.crls()).join('\n'));
    await old.close();
    await expect(publish()).rejects.toMatchObject({ code: 'PUBLICATION_FAILED' });
    expect(alarms()).not.toEqual([]);
  });

  it('waits in its file for a broker that is away, and is proved when that is back', async () => {
    const { server, list } = await start();
    const revoked = await world.issue();
    expect((await world.connect(revoked)).connected).toBe(true);
    await server.kill();
    const before = await readFile(list, 'utf8');
    await world.setCrls(await world.crls([{ serial: revoked.serial, at: new Date() }]));
    expect(await readFile(list, 'utf8')).not.toBe(before);
    await server.start();
    await expect(world.connect(revoked)).rejects.toThrow();
    await until(() => world.mosquitto!.broker.connected(), 'the broker to be back');
    await publish();
    expect(alarms()).toEqual([]);
  });

  it('comes into force at a broker that had read the one before and could not be told yet', async () => {
    const { server, folder } = await start();
    const revoked = await world.issue();
    await publish();
    // As in the moment of a start when the files are read and the process id is not written.
    const pidFile = join(folder, 'mosquitto.pid');
    const pid = await readFile(pidFile, 'utf8');
    await rm(pidFile);
    await world.setCrls(await world.crls([{ serial: revoked.serial, at: new Date() }]));
    await writeFile(pidFile, pid);
    const isKeptOut = () =>
      world.connect(revoked).then(
        () => false,
        () => true,
      );
    await until(isKeptOut, 'the list to be in force', 20_000);
    expect(alarms()).toEqual([]);
    expect(isRunning(server.pid()!)).toBe(true);
  });

  it('is not asked for at a broker that came back while the next one is made', async () => {
    const { server } = await start();
    await publish();
    await server.kill();
    await publish();
    const pid = await server.start().then(() => server.pid()!);
    // Draws the canaries of the next list; the one in force names those before.
    const next = await world.crls();
    await until(() => world.mosquitto!.broker.connected(), 'the broker to be back');
    await world.setCrls(next);
    expect(alarms()).toEqual([]);
    expect(isRunning(pid)).toBe(true);
  });

  it('PKI-01 keeps out a device that came back before the list was in force', async () => {
    await start();
    const device = await world.issue();
    const first = await world.connect(device);
    world.broker.endSession(device.deviceUuid, 'revoked');
    await until(() => !first.connected, 'the session to be ended');
    const second = await world.connect(device);
    await world.setCrls(await world.crls([{ serial: device.serial, at: new Date() }]));
    await until(() => !second.connected, 'the second session to be ended');
    await expect(world.connect(device)).rejects.toThrow();
  });
});

/** The same list with another signature. */
function forge(pem: string): string {
  const der = Buffer.from(pem.replaceAll(/-----.+-----|\s/g, ''), 'base64');
  der[der.length - 1]! ^= 1;
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return ['-----BEGIN X509 CRL-----', ...lines, '-----END X509 CRL-----', ''].join('\n');
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
