import { openApiDocument } from '@ares/protocol/http';
import type { Handlers } from './handlers.ts';

/** Whether a part that the cloud stands on answers; never throws. */
export interface HealthChecks {
  database(): Promise<boolean>;
  broker(): Promise<boolean> | boolean;
  stateStore(): Promise<boolean> | boolean;
}

/** Health and the document of the API itself. */
export function serviceRoutes(options: {
  readonly health: HealthChecks;
  readonly version: string;
}): Pick<Handlers, 'health' | 'openapi'> {
  const { health, version } = options;
  // The contract does not change while the program runs.
  const document = openApiDocument({ version }) as { openapi: string };
  return {
    async health() {
      const [database, broker, stateStore] = await Promise.all([
        health.database(),
        health.broker(),
        health.stateStore(),
      ]);
      const word = (good: boolean) => (good ? 'ok' : 'unavailable');
      const parts = { database: word(database), broker: word(broker), stateStore: word(stateStore) };
      return database && broker && stateStore
        ? { status: 200, body: { status: 'ok', ...parts } }
        : { status: 503, body: { status: 'degraded', ...parts } };
    },
    openapi: async () => ({ status: 200, body: document }),
  };
}
