import { expect, it } from 'vitest';
import { type Wifi, type WifiCredentials, WifiError } from '../../src/ports/wifi.ts';

/** A board with its Wi-Fi, on the network `home`, in reach of the others. */
export interface WifiWorld {
  /** The Wi-Fi as a process of its own opens it. */
  open(): Wifi;
  /** Name of the network that the board is on. */
  current(): Promise<string | undefined>;
  /** Settles when the work does, while time passes as quickly as it can. */
  settle<T>(work: Promise<T>): Promise<T>;
  pass(milliseconds: number): Promise<void>;
  close?(): Promise<void>;
}

export const HOME: WifiCredentials = { ssid: 'home', password: 'the old password' };
export const GREENHOUSE: WifiCredentials = { ssid: 'greenhouse', password: 'tomatoes and basil' };
export const SHED: WifiCredentials = { ssid: 'potting-shed', password: 'spade and rake' };
export const VISITORS: WifiCredentials = { ssid: 'visitors' };
export const NO_ADDRESS: WifiCredentials = { ssid: 'no-address', password: 'nothing comes' };

const never = new AbortController().signal;
const MINUTE = 60_000;

/** What every Wi-Fi does. `create` leaves the board on {@link HOME}. */
export function describeWifi(create: () => Promise<WifiWorld>): void {
  async function onTrial(credentials: WifiCredentials, rollbackAfterMs = 10 * MINUTE) {
    const world = await create();
    const wifi = world.open();
    const begin = () => world.settle(wifi.beginTrial(credentials, { rollbackAfterMs, signal: never }));
    return { world, wifi, begin };
  }
  async function joined(credentials: WifiCredentials, rollbackAfterMs?: number) {
    const opened = await onTrial(credentials, rollbackAfterMs);
    await opened.begin();
    return opened;
  }

  it('hears the networks around it', async () => {
    const world = await create();
    const networks = await world.settle(world.open().scan(never));
    expect(networks).toContainEqual(expect.objectContaining({ ssid: 'greenhouse', security: 'wpa' }));
    expect(networks).toContainEqual(expect.objectContaining({ ssid: 'visitors', security: 'open' }));
  });

  it.each([
    ['a password', GREENHOUSE],
    ['none', VISITORS],
  ])('a network with %s is kept when it is committed, for ever', async (_, credentials) => {
    const { world, wifi } = await joined(credentials, MINUTE);
    await world.settle(wifi.waitForAddress(never));
    expect(await wifi.inTrial()).toBe(true);
    await wifi.commitTrial();
    expect(await wifi.inTrial()).toBe(false);
    await world.pass(2 * MINUTE);
    await wifi.rollbackTrial();
    expect(await world.current()).toBe(credentials.ssid);
  });

  it('BLE-11 a trial that nobody ends ends by itself, on the former network', async () => {
    const { world } = await joined(GREENHOUSE, MINUTE);
    expect(await world.current()).toBe('greenhouse');
    await world.pass(MINUTE + 1_000);
    expect(await world.current()).toBe('home');
    expect(await world.open().inTrial()).toBe(false);
  });

  it('BLE-11 a process that was not there rolls the trial back', async () => {
    const { world } = await joined(GREENHOUSE);
    const later = world.open();
    expect(await later.inTrial()).toBe(true);
    await later.rollbackTrial();
    expect(await world.current()).toBe('home');
    expect(await later.inTrial()).toBe(false);
  });

  it('a process that was not there commits the trial', async () => {
    const { world } = await joined(GREENHOUSE, MINUTE);
    await world.open().commitTrial();
    await world.pass(2 * MINUTE);
    expect(await world.current()).toBe('greenhouse');
  });

  it('BLE-11 a second trial goes back to the network before the first', async () => {
    const { world, wifi } = await joined(GREENHOUSE);
    await world.settle(wifi.beginTrial(SHED, { rollbackAfterMs: MINUTE, signal: never }));
    expect(await world.current()).toBe('potting-shed');
    await wifi.rollbackTrial();
    expect(await world.current()).toBe('home');
  });

  it.each([
    ['that is not there', { ssid: 'nowhere', password: 'whatever it is' }, 'WIFI_NOT_FOUND'],
    ['with another password', { ...GREENHOUSE, password: 'wrong password' }, 'WIFI_WRONG_PASSWORD'],
  ] as const)(
    'BLE-11 a network %s is named as such and the former one stays',
    async (_, credentials, code) => {
      const { world, wifi, begin } = await onTrial(credentials);
      await expect(begin()).rejects.toMatchObject({ name: 'WifiError', code });
      expect(await world.current()).toBe('home');
      expect(await wifi.inTrial()).toBe(false);
    },
  );

  it('a network that gives no address says so', async () => {
    const { world, wifi } = await joined(NO_ADDRESS);
    await expect(world.settle(wifi.waitForAddress(never))).rejects.toMatchObject({ code: 'ADDRESS_TIMEOUT' });
    await wifi.rollbackTrial();
    expect(await world.current()).toBe('home');
  });

  it('waits for any address where nothing is on trial', async () => {
    const world = await create();
    await expect(world.settle(world.open().waitForAddress(never))).resolves.toBeUndefined();
  });

  it('has nothing against ending a trial that there is not', async () => {
    const world = await create();
    const wifi = world.open();
    await wifi.commitTrial();
    await wifi.rollbackTrial();
    expect(await world.current()).toBe('home');
  });

  it('forgets what an owner gave, also on trial', async () => {
    const { world, wifi } = await joined(GREENHOUSE);
    await wifi.commitTrial();
    await world.settle(wifi.beginTrial(SHED, { rollbackAfterMs: MINUTE, signal: never }));
    await wifi.forgetAll();
    await wifi.forgetAll();
    expect(['greenhouse', 'potting-shed']).not.toContain(await world.current());
    expect(await wifi.inTrial()).toBe(false);
  });

  it('an attempt that is called off leaves the former network', async () => {
    const world = await create();
    const options = {
      rollbackAfterMs: MINUTE,
      signal: AbortSignal.abort(new WifiError('WIFI_FAILED', 'off')),
    };
    await expect(world.open().beginTrial(GREENHOUSE, options)).rejects.toThrow('off');
    expect(await world.current()).toBe('home');
  });
}
