import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eventually } from '../../support/ares-process.ts';
import { seededRandom } from '../../support/random.ts';
import { makePowerCutRig, type PowerCutRig, type Stored } from '../power-cut-rig.ts';

/** Power cuts; more on demand, as each takes the machine half a minute. */
const CUTS = Number(process.env['ARES_POWER_CUTS'] ?? (process.env['ARES_LAB'] === 'long' ? 20 : 3));
/** A cut takes half a minute on an idle machine. */
const PATIENCE_MS = 180_000;
/** Connected, identified, claimed, and two of each of the eight steps of the device. */
const PAIRING_EVENTS = 19;
const random = seededRandom();
let rig: PowerCutRig;

beforeAll(async () => {
  console.log(`seed ${random.seed} (ARES_SEED=${random.seed} repeats it)`);
  const machine = inject('labWithPhone');
  if (machine === null) throw new Error('this case needs the package');
  rig = await makePowerCutRig(machine, random);
});

afterAll(() => rig?.close());

/** The cloud has every reading that the device had on its disk, each once. */
async function allArrive(promised: readonly Stored[]): Promise<void> {
  for (const { bootId, seq } of promised) {
    let rows: { count: string; distinct: string; first: string | null; last: string | null } | undefined;
    await eventually(
      `readings 1 to ${seq} of boot ${bootId} are in the cloud`,
      async () => {
        const found = await rig.cloud.database.query(
          `select count(*) as count, count(distinct t.seq) as distinct, min(t.seq) as first, max(t.seq) as last
           from telemetry_data t join device_boots b on b.id = t.boot_id where b.boot_id = $1`,
          [bootId],
        );
        rows = found.rows[0];
        return Number(rows?.last ?? 0) >= seq;
      },
      120_000,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; there are ${JSON.stringify(rows)}`);
    });
    expect(rows).toMatchObject({ count: rows?.last, distinct: rows?.last, first: '1' });
  }
}

/** Begins to pair, and resolves at the given one of its events, or when it has ended. */
async function pairUntil(event: number): Promise<void> {
  const reached = Promise.withResolvers<void>();
  let seen = 0;
  const pairing = rig.pair(() => {
    seen += 1;
    if (seen > event) reached.resolve();
  });
  await Promise.race([reached.promise, pairing.catch(() => undefined)]);
}

describe(`a device whose plug is pulled at ${CUTS + 2} random moments, on a disk that loses what was not flushed`, () => {
  let kept = '';

  /** The phone attaches the component when the device is claimed; one that was cut off then does it now. */
  const measures = async () => {
    const params = { id };
    const { items } = await rig.cloud.owner.listComponents({ params });
    if (items.length === 0) await rig.cloud.owner.attachComponent({ params, body: { componentType: 'cpu' } });
    await eventually('it measures', async () => (await rig.stored()).length > 0, 120_000);
  };
  let id = '';

  it('FSP-08 has its identity from the moment on that it told it', async () => {
    await rig.powerOn();
    await wait(random.between(0, 6_000));
    await rig.pullPlug();

    await rig.powerOn();
    await rig.settled();
    const registration = await rig.registrationLine();
    kept = await rig.identity();
    await rig.pullPlug();

    await rig.powerOn();
    expect(await rig.settled()).toBe('UNPROVISIONED');
    expect(await rig.registrationLine()).toBe(registration);
    expect(await rig.identity()).toBe(kept);
    id = await rig.register(registration);
  });

  const timeout = (CUTS + 2) * PATIENCE_MS;
  it('BLE-11 FSP-02 FSP-08 comes back whole each time, with all it had promised', { timeout }, async () => {
    const outcomes: string[] = [];
    for (let cut = 0; cut < CUTS; cut++) {
      const phase = (['provisioning', 'running', 'resetting'] as const)[cut % 3];
      let state = await rig.settled();
      let promised: Stored[] = [];
      if (phase === 'provisioning') {
        if (state === 'OPERATING') {
          await rig.cloud.owner.unlink({ params: { id } });
          await eventually(
            'the device is wiped',
            async () => (await rig.settled()) === 'UNPROVISIONED',
            120_000,
          );
        }
        await pairUntil(random.between(0, PAIRING_EVENTS));
        await wait(random.between(0, 1_000));
        await rig.pullPlug();
      } else {
        if (state === 'UNPROVISIONED') await rig.pair();
        if (phase === 'running') {
          await measures();
          await rig.dropNetwork();
          await wait(random.between(0, 6_000));
          promised = await rig.stored();
        } else {
          await rig.cloud.owner.unlink({ params: { id } });
          await wait(random.between(0, 5_000));
        }
        await rig.pullPlug();
      }

      await rig.powerOn();
      state = await rig.settled();
      if (phase === 'running') expect(state).toBe('OPERATING');
      if (phase === 'resetting') {
        await eventually(
          'the device is wiped',
          async () => (await rig.settled()) === 'UNPROVISIONED',
          120_000,
        );
        state = 'UNPROVISIONED';
      }
      expect(await rig.files('damaged')).toEqual([]);
      expect(await rig.identity()).toBe(kept);
      if (state === 'UNPROVISIONED') expect(await rig.files('credentials')).toEqual([]);
      await allArrive(promised);
      const readings = promised.reduce((sum, { seq }) => sum + seq, 0);
      outcomes.push(`${phase}: ${state}${phase === 'running' ? `, ${readings} readings` : ''}`);
      console.log(outcomes.at(-1));
    }
    // After all of that it is still a device that can be claimed and that reports.
    if ((await rig.settled()) === 'UNPROVISIONED') await rig.pair();
    await measures();
    await allArrive(await rig.stored());
  });
});
