import type { HealthValue } from '../ports/state-store.ts';
import type { StateRepository } from './repository.ts';

/** Writes down what components say about themselves. They say it once, so what could not be written is kept. */
interface HealthWriter {
  keep(health: readonly HealthValue[]): void;
  /** Writes everything that is kept. @throws when the database does not take it; then it stays kept */
  save(): Promise<void>;
}

export function createHealthWriter(repository: Pick<StateRepository, 'saveHealth'>): HealthWriter {
  const unsaved = new Map<number, HealthValue>();
  return {
    keep(health) {
      for (const one of health) unsaved.set(one.componentId, one);
    },
    async save() {
      const batch = [...unsaved.values()];
      await repository.saveHealth(batch);
      // What was said meanwhile is still to be written.
      for (const one of batch) if (unsaved.get(one.componentId) === one) unsaved.delete(one.componentId);
    },
  };
}
