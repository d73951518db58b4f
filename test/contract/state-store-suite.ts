import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DeviceState, HealthValue, MetricValue, StateStore } from '../../cloud/src/ports/state-store.ts';

const empty: DeviceState = {
  presence: 'OFFLINE',
  connectionId: undefined,
  lastSeen: undefined,
  values: [],
  health: [],
};
const value = (over: Partial<MetricValue> = {}): MetricValue => ({
  componentId: 1,
  metric: 'temperature',
  value: 20,
  measuredAt: 1_000,
  bootCount: 1,
  seq: 1,
  ...over,
});
const health = (over: Partial<HealthValue> = {}): HealthValue => ({
  componentId: 1,
  status: 'OK',
  bootCount: 1,
  uptimeMs: 10,
  ...over,
});
const update = (values: readonly MetricValue[], seenAt = 5_000, healths: readonly HealthValue[] = []) => ({
  values,
  health: healths,
  seenAt,
});

/** What every store of live state must do, whatever it is made of. */
export function describeStateStore(name: string, make: () => Promise<StateStore>): void {
  describe(name, () => {
    let store: StateStore;
    let device: string;
    beforeEach(async () => {
      store = await make();
      device = randomUUID();
    });
    const fill = async (deviceUuid: string, state: DeviceState) =>
      await store.refill(deviceUuid, state, await store.stamp(deviceUuid));
    const filled = (over: Partial<DeviceState> = {}) => fill(device, { ...empty, ...over });
    const get = async () => (await store.get(device))!;

    it('knows nothing of a device before the refill, and takes nothing for it', async () => {
      expect(await store.get(device)).toBeUndefined();
      expect(await store.apply(device, update([value()]))).toBe('missing');
      expect(await store.birth(device, 'c1', 1)).toBe('missing');
      expect(await store.will(device, 'c1', 1)).toBe(false);
      expect(await store.get(device)).toBeUndefined();
    });

    it('takes a value only if its order is higher: by boot, then by number', async () => {
      await filled();
      expect(await store.apply(device, update([value({ bootCount: 2, seq: 5, value: 1 })]))).toBe('changed');
      for (const old of [
        { bootCount: 2, seq: 5 },
        { bootCount: 2, seq: 4 },
        { bootCount: 1, seq: 99 },
      ])
        expect(await store.apply(device, update([value({ ...old, value: 9 })]))).toBe('same');
      expect((await get()).values).toEqual([value({ bootCount: 2, seq: 5, value: 1 })]);
      expect(await store.apply(device, update([value({ bootCount: 3, seq: 1, value: 2 })]))).toBe('changed');
      expect((await get()).values).toMatchObject([{ value: 2 }]);
    });

    it('judges each component and metric by itself, within one update too', async () => {
      await filled();
      await store.apply(
        device,
        update([
          value({ seq: 9 }),
          value({ seq: 2, metric: 'humidity' }),
          value({ seq: 3, componentId: 2 }),
          value({ seq: 8, value: 99 }),
        ]),
      );
      expect(
        (await get()).values.map(({ componentId, metric, seq }) => [componentId, metric, seq]).sort(),
      ).toEqual([
        [1, 'humidity', 2],
        [1, 'temperature', 9],
        [2, 'temperature', 3],
      ]);
    });

    it('takes thousands of values at once', async () => {
      const values = Array.from({ length: 4_500 }, (_, i) => value({ metric: `m${i}`, seq: i + 1 }));
      await filled({ values: values.slice(0, 2_500) });
      expect(await store.apply(device, update(values))).toBe('changed');
      expect(await store.apply(device, update(values))).toBe('same');
      expect((await get()).values).toHaveLength(4_500);
    });

    it('ends with the highest order however many write at once', async () => {
      await filled();
      const seqs = Array.from({ length: 50 }, (_, i) => i + 1).sort(() => Math.random() - 0.5);
      await Promise.all(
        seqs.map((seq) => store.apply(device, update([value({ seq, value: seq })], 1_000 + seq))),
      );
      expect(await get()).toMatchObject({ lastSeen: 1_050, values: [{ seq: 50, value: 50 }] });
    });

    it('keeps the latest health of a component and says whether it changed', async () => {
      await filled();
      const failing = health({ status: 'ERROR', reason: 'no answer', uptimeMs: 20 });
      expect(await store.apply(device, update([], 1, [failing]))).toBe('changed');
      expect(await store.apply(device, update([], 1, [{ ...failing, uptimeMs: 30 }]))).toBe('same');
      expect(await store.apply(device, update([], 1, [health({ uptimeMs: 25 })]))).toBe('same');
      expect((await get()).health).toMatchObject([{ status: 'ERROR', reason: 'no answer' }]);
      expect(await store.apply(device, update([], 1, [health({ bootCount: 2, uptimeMs: 1 })]))).toBe(
        'changed',
      );
    });

    it('never moves last-seen back', async () => {
      await filled();
      await store.apply(device, update([], 9_000));
      await store.apply(device, update([], 8_000));
      expect((await get()).lastSeen).toBe(9_000);
    });

    it('lets a will count only for the connection of the latest birth', async () => {
      await filled();
      await store.birth(device, 'first', 1_000);
      await store.birth(device, 'second', 2_000);
      expect(await store.will(device, 'first', 3_000)).toBe(false);
      expect((await get()).presence).toBe('ONLINE');
      expect(await store.will(device, 'second', 3_000)).toBe(true);
      expect(await store.will(device, 'second', 3_000)).toBe(false);
      expect((await get()).presence).toBe('OFFLINE');
    });

    it('finds overdue devices by the time they were seen, oldest first, and only those that are online', async () => {
      const [late, later, fresh, offline] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
      for (const one of [later, fresh, late, offline]) await fill(one, empty);
      await store.birth(later, 'c', 20_000);
      await store.birth(late, 'c', 10_000);
      await store.birth(fresh, 'c', 90_000);
      await store.birth(offline, 'c', 5_000);
      await store.will(offline, 'c', 6_000);
      expect(await store.overdue(50_000, 10)).toEqual([late, later]);
      expect(await store.overdue(50_000, 1)).toEqual([late]);
      await store.apply(late, update([], 60_000));
      expect(await store.overdue(50_000, 10)).toEqual([later]);
    });

    it('times out only a device that is still overdue, once, and brings it back with its next message', async () => {
      await filled();
      await store.birth(device, 'c', 10_000);
      expect(await store.timeOut(device, 10_000)).toBe(false);
      expect(await store.timeOut(device, 10_001)).toBe(true);
      expect(await store.timeOut(device, 10_001)).toBe(false);
      expect((await get()).presence).toBe('TIMEOUT');
      expect(await store.overdue(99_999, 10)).toEqual([]);
      expect(await store.apply(device, update([], 20_000))).toBe('revived');
      expect((await get()).presence).toBe('ONLINE');
    });

    it('keeps what is newer when it is refilled', async () => {
      await filled();
      await store.apply(device, update([value({ seq: 9, value: 9 })], 9_000));
      await filled({
        lastSeen: 1_000,
        values: [value({ seq: 3, value: 3 }), value({ seq: 4, metric: 'humidity' })],
      });
      expect(await get()).toMatchObject({ lastSeen: 9_000 });
      expect((await get()).values.map(({ metric, seq }) => [metric, seq]).sort()).toEqual([
        ['humidity', 4],
        ['temperature', 9],
      ]);
    });

    it('answers nothing for a dirty entry until it is refilled, and believes the refill about presence', async () => {
      await filled();
      await store.birth(device, 'c1', 1_000);
      await store.markDirty([device, randomUUID()]);
      expect(await store.get(device)).toBeUndefined();
      await filled({ presence: 'OFFLINE', connectionId: 'c2' });
      expect(await get()).toMatchObject({ presence: 'OFFLINE', connectionId: 'c2' });
      await store.markDirty('all');
      expect(await store.get(device)).toBeUndefined();
    });

    it.each([
      ['everything was marked dirty', () => store.markDirty('all')],
      ['it was marked dirty', () => store.markDirty([device])],
      ['it was forgotten', () => store.drop(device)],
    ])('takes no refill with what was read before %s', async (_what, happens) => {
      for (const isThere of [false, true]) {
        if (isThere) await filled();
        const before = await store.stamp(device);
        await happens();
        await store.refill(device, { ...empty, values: [value()] }, before);
        expect(await store.get(device)).toBeUndefined();
      }
      await filled({ values: [value({ seq: 2 })] });
      expect((await get()).values).toEqual([value({ seq: 2 })]);
    });

    it('names another epoch when everything was marked dirty, and only then', async () => {
      await filled();
      const before = await store.epoch();
      await store.markDirty([device]);
      await store.drop(device);
      expect(await store.epoch()).toBe(before);
      await store.markDirty('all');
      expect(await store.epoch()).not.toBe(before);
    });

    it('takes values for a dirty entry, so that nothing that arrives before the refill is lost', async () => {
      await filled();
      await store.markDirty('all');
      expect(await store.apply(device, update([value({ seq: 7 })]))).toBe('changed');
      await filled({ values: [value({ seq: 3 })] });
      expect((await get()).values).toEqual([value({ seq: 7 })]);
    });

    it('finds devices that the database expects to be online, also without an entry', async () => {
      await filled();
      await store.birth(device, 'c', 90_000);
      const lost = randomUUID();
      await store.expect(
        new Map([
          [lost, 10_000],
          [device, 5_000],
        ]),
      );
      expect(await store.overdue(50_000, 10)).toEqual([lost]);
      expect(await store.timeOut(lost, 50_000)).toBe(false);
      await fill(lost, { ...empty, presence: 'ONLINE', lastSeen: 10_000 });
      expect(await store.timeOut(lost, 50_000)).toBe(true);
      expect(await store.overdue(50_000, 10)).toEqual([]);
    });

    it('keeps values, reasons and metrics of any shape as they are', async () => {
      const values = [
        value({ metric: 'a:b c/µ', value: -0.1e-300, measuredAt: 1.5 }),
        value({ componentId: 2, metric: 'big', value: Number.MAX_SAFE_INTEGER, seq: 2 ** 53 - 1 }),
      ];
      const reasons = [
        health({ status: 'ERROR', reason: 'no: "answer"\n' }),
        health({ componentId: 2, sampleIntervalMs: 600_000 }),
      ];
      await filled({ presence: 'ONLINE', connectionId: 'c:1', lastSeen: 7, values, health: reasons });
      const state = await get();
      expect(state).toMatchObject({ presence: 'ONLINE', connectionId: 'c:1', lastSeen: 7 });
      expect([...state.values].sort((a, b) => a.componentId - b.componentId)).toEqual(values);
      expect([...state.health].sort((a, b) => a.componentId - b.componentId)).toEqual(reasons);
    });

    it('forgets a device', async () => {
      await filled();
      await store.birth(device, 'c', 1);
      await store.drop(device);
      expect(await store.get(device)).toBeUndefined();
      expect(await store.overdue(1e12, 10)).toEqual([]);
    });

    it('lets one who sweeps go on sweeping', async () => {
      expect(await store.leadsSweep(60_000)).toBe(true);
      expect(await store.leadsSweep(60_000)).toBe(true);
    });

    it('answers that it is well', async () => {
      expect(await store.healthy()).toBe(true);
    });
  });
}
