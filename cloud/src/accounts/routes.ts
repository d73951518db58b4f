import type { Handlers } from '../http/handlers.ts';
import type { AccountService, Session } from './service.ts';
import type { Account } from './types.ts';

export function accountRoutes(
  service: Pick<AccountService, 'register' | 'login' | 'me'>,
): Pick<Handlers, 'register' | 'login' | 'me'> {
  return {
    register: async ({ body, source }) => ({
      status: 201,
      body: toSession(await service.register({ ...body, source })),
    }),
    login: async ({ body, source }) => ({
      status: 200,
      body: toSession(await service.login({ ...body, source })),
    }),
    me: async ({ caller }) => ({ status: 200, body: toUser(await service.me(caller)) }),
  };
}

function toSession({ accessToken, expiresInSeconds, account }: Session) {
  return { accessToken, tokenType: 'Bearer' as const, expiresInSeconds, user: toUser(account) };
}

function toUser({ userUuid, email, roles, createdAt }: Account) {
  return { userId: userUuid, email, roles: [...roles], createdAt: createdAt.toISOString() };
}
