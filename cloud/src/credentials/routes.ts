import type { Handlers } from '../http/handlers.ts';
import type { Challenges } from './challenges.ts';
import type { CredentialsService } from './service.ts';

export function credentialsRoutes(services: {
  readonly challenges: Challenges;
  readonly credentials: CredentialsService;
}): Pick<Handlers, 'challenge' | 'credentials'> {
  const { challenges, credentials } = services;
  return {
    challenge: async ({ body }) => ({ status: 201, body: await challenges.issue(body.deviceUuid) }),
    credentials: async ({ body, device }) => ({ status: 200, body: await credentials.request(body, device) }),
  };
}
