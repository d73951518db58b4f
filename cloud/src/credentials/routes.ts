import type { DeviceAccess, Handlers } from '../http/handlers.ts';
import type { Challenges } from './challenges.ts';
import type { RecoveryService } from './recovery-service.ts';
import type { CredentialsService } from './service.ts';

export function credentialsRoutes(services: {
  readonly challenges: Challenges;
  readonly credentials: CredentialsService;
  readonly recovery: RecoveryService;
}): Pick<Handlers, 'challenge' | 'credentials' | 'recoveryToken' | 'revokeCredentials'> {
  const { challenges, credentials, recovery } = services;
  return {
    challenge: async ({ body }) => ({ status: 201, body: challenges.issue(body.deviceUuid) }),
    credentials: async ({ body, device }) => ({ status: 200, body: await credentials.request(body, device) }),
    recoveryToken: async ({ access, caller, source }) => ({
      status: 201,
      body: await recovery.token({ ...byOwner(access), actorUserId: caller.userId, source }),
    }),
    revokeCredentials: async ({ access, caller, source, body }) => {
      const { reason } = body;
      await recovery.revoke({ ...byOwner(access), actorUserId: caller.userId, source, reason });
      return { status: 204 };
    },
  };
}

const byOwner = ({ deviceUuid, assignmentId }: DeviceAccess) => ({ deviceUuid, assignmentId });
