import type { Handlers } from '../http/handlers.ts';
import type { Administration } from './administration.ts';
import { toUser } from './routes.ts';
import type { Caller, ManagedAccount } from './types.ts';

type Routes =
  | 'listUsers'
  | 'createUser'
  | 'getUser'
  | 'updateUser'
  | 'suspendUser'
  | 'unsuspendUser'
  | 'grantRole'
  | 'takeRole';

export function administrationRoutes(service: Administration): Pick<Handlers, Routes> {
  const on = ({
    caller,
    params,
    source,
  }: {
    caller: Caller;
    params: { userId: string };
    source: string;
  }) => ({
    caller,
    userUuid: params.userId,
    source,
  });
  return {
    async listUsers({ query }) {
      const { items, nextCursor } = await service.list(query);
      return { status: 200, body: { items: items.map(toBody), nextCursor } };
    },
    createUser: async ({ caller, body, source }) => ({
      status: 201,
      body: toBody(await service.create({ ...body, caller, source })),
    }),
    getUser: async ({ params }) => withVersion(await service.get(params.userId)),
    updateUser: async (request) =>
      withVersion(await service.update(on(request), request.body, request.ifMatch)),
    suspendUser: async (request) => answer(await service.suspend(on(request))),
    unsuspendUser: async (request) => answer(await service.unsuspend(on(request))),
    grantRole: async (request) => answer(await service.grantRole(on(request), request.params.role)),
    takeRole: async (request) => answer(await service.takeRole(on(request), request.params.role)),
  };
}

const answer = (account: ManagedAccount) => ({ status: 200, body: toBody(account) }) as const;
const withVersion = (account: ManagedAccount) => ({ ...answer(account), version: account.version }) as const;

function toBody(account: ManagedAccount) {
  const { suspended, devices, lastSignIn } = account;
  return { ...toUser(account), suspended, devices, lastSignIn: lastSignIn?.toISOString() ?? null };
}
