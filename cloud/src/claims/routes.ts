import type { Handlers } from '../http/handlers.ts';
import type { ClaimsService } from './service.ts';

export function claimsRoutes(claims: ClaimsService): Pick<Handlers, 'claim'> {
  return {
    claim: async ({ body, caller, source }) => ({
      status: 201,
      body: await claims.claim(body, { userId: caller.userId, source }),
    }),
  };
}
