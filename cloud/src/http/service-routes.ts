import { asyncApiDocument, openApiDocument } from '@ares/protocol/http';
import type { Handlers } from './handlers.ts';
import { type HealthChecks, healthOf, isReady } from './health.ts';

/** Health, and the documents of the API itself. */
export function serviceRoutes(options: {
  readonly health: HealthChecks;
  /** Aborted when the process begins to end. */
  readonly closing?: AbortSignal;
  readonly version: string;
}): Pick<Handlers, 'root' | 'health' | 'ready' | 'openapi' | 'asyncapi'> {
  const { health, closing, version } = options;
  // The contract does not change while the program runs.
  const openapi = openApiDocument({ version }) as { openapi: string };
  const asyncapi = asyncApiDocument({ version }) as { asyncapi: string };
  const documents = { documentation: '/docs', openapi: '/openapi.json', asyncapi: '/asyncapi.json' };
  return {
    root: async () => ({ status: 200, body: { name: 'ares', version, ...documents } }),
    async health() {
      const found = await healthOf(health);
      return { status: found.status === 'ok' ? 200 : 503, body: found };
    },
    async ready() {
      if (closing?.aborted === true)
        return { status: 503, body: { ...(await healthOf(health)), status: 'draining' } };
      const found = await healthOf(health);
      return { status: isReady(found) ? 200 : 503, body: found };
    },
    openapi: async () => ({ status: 200, body: openapi }),
    asyncapi: async () => ({ status: 200, body: asyncapi }),
  };
}
