import type { Clock } from '../ports/clock.ts';
import { type StateStore, StateStoreError } from '../ports/state-store.ts';
import type { PresenceRepository } from './presence-repository.ts';
import type { Refills } from './refills.ts';
import { createTurns } from './turns.ts';

const SWEEP_LIMIT = 500;
/** Who sweeps does so until it has been silent for so long; then another process takes over. */
const LEAD_MS = 10_000;
/** The index of the sweep follows the tables, should it have lost somebody. */
const EXPECT_EVERY_MS = 600_000;

/** Presence in store and tables. The tables decide between processes; the store follows, and may be away. */
export interface PresenceSteps {
  born(deviceUuid: string, connectionId: string, at: number): Promise<void>;
  will(deviceUuid: string, connectionId: string, at: number): Promise<void>;
  /** The store says that a device which was silent has spoken. */
  revived(deviceUuid: string, at: number): Promise<void>;
  sweep(silentMs: number): Promise<void>;
}

export function createPresenceSteps(options: {
  readonly store: StateStore;
  readonly repository: PresenceRepository;
  readonly refills: Refills;
  readonly clock: Clock;
  readonly changed: (deviceUuid: string) => void;
}): PresenceSteps {
  const { store, repository, refills, clock, changed } = options;
  // Store and tables change in the same order, or one would end with a presence that the other has left.
  const inTurn = createTurns();
  let expected: { readonly epoch: string; readonly at: number } | undefined;

  const quietly = async (step: () => Promise<unknown>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof StateStoreError)) throw error;
    }
  };
  /** The store went ahead and the tables did not follow: the store believes them again. */
  const orGoBack = async (
    deviceUuid: string,
    seenAt: number,
    step: () => Promise<unknown>,
  ): Promise<void> => {
    try {
      await step();
    } catch (error) {
      await quietly(async () => {
        await store.markDirty([deviceUuid]);
        await store.expect(new Map([[deviceUuid, seenAt]]));
      });
      throw error;
    }
  };

  const expectOnline = async (): Promise<void> => {
    const epoch = await store.epoch();
    const now = clock.now();
    if (expected?.epoch === epoch && now - expected.at < EXPECT_EVERY_MS) return;
    await store.expect(await repository.online());
    expected = { epoch, at: now };
  };
  const look = async (deviceUuid: string, seenBefore: number): Promise<void> => {
    if ((await refills.of(deviceUuid)) === undefined) {
      await store.drop(deviceUuid);
      return;
    }
    // A broker in another process writes down whose connections it holds.
    const at = await repository.lastSeen(deviceUuid);
    if (at !== undefined && at >= seenBefore) {
      await store.apply(deviceUuid, { values: [], health: [], seenAt: at });
      return;
    }
    if (!(await store.timeOut(deviceUuid, seenBefore))) return;
    await orGoBack(deviceUuid, seenBefore - 1, () => repository.saveTimeOut(deviceUuid, seenBefore));
    changed(deviceUuid);
  };

  return {
    born: (deviceUuid, connectionId, at) =>
      inTurn(deviceUuid, async () => {
        await repository.saveBirth(deviceUuid, connectionId, at);
        if ((await refills.of(deviceUuid)) === undefined) return;
        await quietly(() => store.birth(deviceUuid, connectionId, at));
        changed(deviceUuid);
      }),
    will: (deviceUuid, connectionId, at) =>
      inTurn(deviceUuid, async () => {
        if ((await refills.of(deviceUuid)) === undefined) return;
        let inStore = false;
        await quietly(async () => {
          inStore = await store.will(deviceUuid, connectionId, at);
        });
        let inTables = false;
        await orGoBack(deviceUuid, at, async () => {
          inTables = await repository.saveWill(deviceUuid, connectionId);
        });
        if (inStore || inTables) changed(deviceUuid);
      }),
    revived: (deviceUuid, at) =>
      inTurn(deviceUuid, async () => {
        if ((await refills.of(deviceUuid))?.presence !== 'ONLINE') return;
        await orGoBack(deviceUuid, at, () => repository.saveRevival(deviceUuid, at));
        changed(deviceUuid);
      }),
    sweep: (silentMs) =>
      quietly(async () => {
        if (!(await store.leadsSweep(LEAD_MS))) return;
        const seenBefore = clock.now() - silentMs;
        await expectOnline();
        for (const deviceUuid of await store.overdue(seenBefore, SWEEP_LIMIT))
          await inTurn(deviceUuid, () => look(deviceUuid, seenBefore));
      }),
  };
}
