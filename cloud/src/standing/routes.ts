import type { Handlers } from '../http/handlers.ts';
import type { StandingService } from './service.ts';

export function standingRoutes(standing: StandingService): Pick<Handlers, 'standing'> {
  return {
    standing: async ({ body }) => ({ status: 200, body: { standing: await standing.ask(body) } }),
  };
}
