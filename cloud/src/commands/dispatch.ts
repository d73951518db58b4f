import type { BrokerLink } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import { commandRepository } from './repository.ts';
import type { UnsentCommand } from './types.ts';

export interface CommandDispatch {
  /** Hands orders to the broker, in this order. What it does not take is left to the sweep. */
  publish(commands: readonly UnsentCommand[]): Promise<void>;
  /** Sends the device again what it may not have heard; twice is harmless, it knows each command by its id. */
  resend(deviceId: number): Promise<void>;
  /** Publishes what was committed and never sent, and gives up what can no longer be answered. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

/** After its time to begin a device still has this long to report. */
const GRACE_MS = 60_000;
const SWEEP_EVERY_MS = 1_000;

export function createCommandDispatch(options: {
  readonly database: CloudDatabase;
  readonly link: BrokerLink;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default one second; `undefined` on purpose leaves the sweep to the caller. */
  readonly sweepEveryMs?: number;
  readonly graceMs?: number;
}): CommandDispatch {
  const { database, link, clock, log, graceMs = GRACE_MS } = options;
  const { db } = database;
  let sweeping: Promise<void> | undefined;
  const publishing = new Set<Promise<void>>();

  const publishAll = async (commands: readonly UnsentCommand[]): Promise<void> => {
    const sent: string[] = [];
    try {
      for (const { id, topic, jws } of commands) {
        await link.publish(topic, jws, { qos: 1 });
        sent.push(id);
      }
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'a command waits for the broker');
    }
    await commandRepository
      .markPublished(db, sent, new Date(clock.now()))
      .catch((error: Error) => log.warn({ error: error.message }, 'a command will be sent again'));
  };
  const publish = (commands: readonly UnsentCommand[]): Promise<void> => {
    const running = publishAll(commands);
    publishing.add(running);
    void running.then(() => publishing.delete(running));
    return running;
  };

  const sweepOnce = async (): Promise<void> => {
    const now = clock.now();
    await publish(await commandRepository.unpublished(db, new Date(now)));
    await db.transaction().execute(async (trx) => {
      const ended = await commandRepository.giveUp(trx, new Date(now - graceMs), new Date(now));
      for (const commandId of ended) await database.notify(trx, 'command', { commandId });
    });
  };
  const sweep = (): Promise<void> => {
    sweeping ??= sweepOnce().finally(() => {
      sweeping = undefined;
    });
    return sweeping;
  };
  const timer = setInterval(() => {
    sweep().catch((error: Error) => log.warn({ error: error.message }, 'the sweep of commands failed'));
  }, options.sweepEveryMs ?? SWEEP_EVERY_MS);

  return {
    publish,
    async resend(deviceId) {
      await publish(await commandRepository.pendingOf(db, deviceId, new Date(clock.now())));
    },
    sweep,
    async close() {
      clearInterval(timer);
      await sweeping?.catch(() => undefined);
      await Promise.all(publishing);
    },
  };
}
