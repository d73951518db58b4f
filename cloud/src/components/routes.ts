import type { Handlers } from '../http/handlers.ts';
import type { ComponentService } from './service.ts';

type Routes =
  | 'listComponents'
  | 'attachComponent'
  | 'getComponent'
  | 'updateComponent'
  | 'detachComponent'
  | 'deviceComponents';

export function componentRoutes(service: ComponentService): Pick<Handlers, Routes> {
  return {
    listComponents: async ({ access }) => ({ status: 200, body: { items: await service.list(access) } }),
    attachComponent: async ({ caller, access, body, source }) => ({
      status: 201,
      body: await service.attach({ caller, access, component: body, source }),
    }),
    getComponent: async ({ access, params }) => {
      const { component, version } = await service.get(access, params.componentId);
      return { status: 200, body: component, version };
    },
    updateComponent: async ({ caller, access, params, body, ifMatch, source }) => {
      const { componentId } = params;
      const { component, version } = await service.edit({
        caller,
        access,
        componentId,
        edit: body,
        ifMatch,
        source,
      });
      return { status: 200, body: component, version };
    },
    detachComponent: async ({ caller, access, params, source }) => {
      await service.detach({ caller, access, componentId: params.componentId, source });
      return { status: 204 };
    },
    deviceComponents: async ({ device }) => ({
      status: 200,
      body: await service.forDevice(device.deviceId),
    }),
  };
}
