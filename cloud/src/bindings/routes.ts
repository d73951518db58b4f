import type { Handlers } from '../http/handlers.ts';
import type { ReleaseService } from '../release/service.ts';
import type { BindingService } from './service.ts';
import type { Binding } from './types.ts';

type Routes = 'bindDevice' | 'unbindDevice' | 'getBinding' | 'listDeviceBindings';

export function bindingRoutes(services: {
  readonly bindings: BindingService;
  readonly release: Pick<ReleaseService, 'release'>;
}): Pick<Handlers, Routes> {
  const { bindings, release } = services;
  return {
    bindDevice: async ({ caller, params, body, source }) => ({
      status: 201,
      body: await bindings.bind({ caller, deviceUuid: params.id, userUuid: body.userId, source }),
    }),
    unbindDevice: async ({ caller, access, source }) => {
      const { deviceUuid, assignmentId } = access;
      await release.release({ deviceUuid, assignmentId, actorUserId: caller.userId, source });
      return { status: 204 };
    },
    getBinding: async ({ access }) => {
      const binding = await bindings.current(access);
      return { status: 200, body: { binding: binding && toBody(binding) } };
    },
    listDeviceBindings: async ({ params, query }) => {
      const { items, nextCursor } = await bindings.ofUser(params.userId, query);
      return { status: 200, body: { items: items.map(toBody), nextCursor } };
    },
  };
}

const toBody = ({ boundAt, unboundAt, ...binding }: Binding) => ({
  ...binding,
  boundAt: boundAt.toISOString(),
  unboundAt: unboundAt?.toISOString() ?? null,
});
