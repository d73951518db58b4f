import type { CloudDatabase } from '../ports/database.ts';
import { commandRepository } from './repository.ts';
import type { CommandRow } from './types.ts';

export interface CommandWaiting {
  /** The command once it is final; `undefined` when the time is over or nobody listens any more. */
  final(commandId: string, withinMs: number, signal: AbortSignal): Promise<CommandRow | undefined>;
  close(): void;
}

/** Waits for final states, whichever process writes them. */
export function createCommandWaiting(database: CloudDatabase): CommandWaiting {
  const waiters = new Map<string, Set<() => void>>();
  const wake = (commandId: string) => {
    for (const look of waiters.get(commandId) ?? []) look();
  };
  const wakeAll = () => {
    for (const commandId of waiters.keys()) wake(commandId);
  };
  const stop = database.listen('command', ({ commandId }) => wake(commandId), wakeAll);

  return {
    final(commandId, withinMs, signal) {
      return new Promise((resolve) => {
        const done = (row: CommandRow | undefined) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', give);
          const set = waiters.get(commandId);
          set?.delete(look);
          if (set?.size === 0) waiters.delete(commandId);
          resolve(row);
        };
        const read = async (): Promise<CommandRow | undefined> => {
          const row = await commandRepository.find(database.db, commandId);
          return row?.status === 'PENDING' ? undefined : row;
        };
        const look = () => {
          // A failing look is not the last one: the notice or the end of the time brings another.
          read().then(
            (row) => row !== undefined && done(row),
            () => undefined,
          );
        };
        const give = () => done(undefined);
        const timer = setTimeout(() => {
          read().then(done, give);
        }, withinMs);
        signal.addEventListener('abort', give);
        waiters.set(commandId, (waiters.get(commandId) ?? new Set()).add(look));
        if (signal.aborted) give();
      });
    },
    close() {
      stop();
      wakeAll();
    },
  };
}
