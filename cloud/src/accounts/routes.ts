import type { Handlers } from '../http/handlers.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { AccountDeletion } from './deletion.ts';
import type { MailedCodes } from './mailed-codes.ts';
import type { OwnAccount } from './own-account.ts';
import type { AccountService, Session } from './service.ts';
import type { Account } from './types.ts';

type Routes =
  | 'register'
  | 'verifyEmail'
  | 'login'
  | 'refresh'
  | 'logout'
  | 'forgotPassword'
  | 'resetPassword'
  | 'accessTokenKeys'
  | 'me'
  | 'updateMe'
  | 'deleteMe'
  | 'changePassword'
  | 'changeEmail'
  | 'resendVerification';

export interface AccountParts {
  readonly service: AccountService;
  readonly codes: MailedCodes;
  readonly own: OwnAccount;
  readonly deletion: Pick<AccountDeletion, 'deleteOwn'>;
  readonly tokens: Pick<AccessTokens, 'publicKeys'>;
}

export function accountRoutes(parts: AccountParts): Pick<Handlers, Routes> {
  const { service, codes, own, deletion, tokens } = parts;
  return {
    register: async ({ body, source }) => ({
      status: 201,
      body: toSession(await service.register({ ...body, source })),
    }),
    async verifyEmail({ body, source }) {
      await codes.verifyEmail({ ...body, source });
      return { status: 204 };
    },
    login: async ({ body, source }) => ({
      status: 200,
      body: toSession(await service.login({ ...body, source })),
    }),
    refresh: async ({ body, source }) => ({
      status: 200,
      body: toSession(await service.refresh(body.refreshToken, source)),
    }),
    async logout({ body, source }) {
      await service.logout(body.refreshToken, source);
      return { status: 204 };
    },
    async forgotPassword({ body }) {
      await codes.forgotPassword(body.email);
      return { status: 204 };
    },
    async resetPassword({ body, source }) {
      await codes.resetPassword({ ...body, source });
      return { status: 204 };
    },
    accessTokenKeys: async () => ({ status: 200, body: { keys: [...(await tokens.publicKeys())] } }),
    me: async ({ caller }) => answer(await own.me(caller)),
    updateMe: async ({ caller, body, ifMatch, source }) =>
      answer(await own.update(caller, body, ifMatch, source)),
    async deleteMe({ caller, body, source }) {
      await deletion.deleteOwn(caller, body.password, source);
      return { status: 204 };
    },
    async changePassword({ caller, body, source }) {
      await own.changePassword(caller, body, source);
      return { status: 204 };
    },
    async changeEmail({ caller, body, source }) {
      await codes.admitMail(body.email);
      await own.changeEmail(caller, body, source);
      return { status: 204 };
    },
    async resendVerification({ caller }) {
      await codes.admitMail(caller.email);
      await own.resendVerification(caller);
      return { status: 204 };
    },
  };
}

const answer = (account: Account) =>
  ({ status: 200, body: toUser(account), version: account.version }) as const;

function toSession({ account, ...tokens }: Session) {
  return { ...tokens, tokenType: 'Bearer' as const, user: toUser(account) };
}

/** An account as its owner sees it. */
export function toUser(account: Account) {
  const { userUuid, email, emailVerified, roles, displayName, locale, timeZone, notifications } = account;
  return {
    userId: userUuid,
    email,
    emailVerified,
    roles: [...roles],
    displayName,
    locale,
    timeZone,
    notifications,
    createdAt: account.createdAt.toISOString(),
  };
}
