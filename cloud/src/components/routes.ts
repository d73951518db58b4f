import type { Handlers } from '../http/handlers.ts';
import type { ComponentService } from './service.ts';

type Routes =
  | 'listComponentTypes'
  | 'addComponentType'
  | 'listComponents'
  | 'attachComponent'
  | 'detachComponent'
  | 'deviceComponents';

export function componentRoutes(service: ComponentService): Pick<Handlers, Routes> {
  return {
    listComponentTypes: async () => ({ status: 200, body: { items: await service.types() } }),
    addComponentType: async ({ caller, body, source }) => {
      await service.addType({ caller, definition: body, source });
      return { status: 201, body };
    },
    listComponents: async ({ access }) => ({ status: 200, body: { items: await service.list(access) } }),
    attachComponent: async ({ caller, access, body, source }) => ({
      status: 201,
      body: await service.attach({ caller, access, component: body, source }),
    }),
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
