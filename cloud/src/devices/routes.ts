import type { Handlers } from '../http/handlers.ts';
import type { DeviceService } from './service.ts';
import type { DeviceView } from './types.ts';

type Routes = 'listDevices' | 'getDevice' | 'preregister' | 'setNickname';

export function deviceRoutes(
  service: Pick<DeviceService, 'list' | 'get' | 'preregister' | 'setNickname'>,
): Pick<Handlers, Routes> {
  return {
    listDevices: async ({ caller }) => ({
      status: 200,
      body: { items: (await service.list(caller)).map(toBody) },
    }),
    getDevice: async ({ caller, access }) => ({
      status: 200,
      body: toBody(await service.get(caller, access.deviceUuid)),
    }),
    preregister: async ({ caller, body, source }) => {
      await service.preregister({ caller, device: body, source });
      return { status: 201, body: { deviceUuid: body.deviceUuid } };
    },
    setNickname: async ({ caller, access, body, source }) => ({
      status: 200,
      body: toBody(await service.setNickname({ caller, access, nickname: body.nickname, source })),
    }),
  };
}

function toBody(view: DeviceView) {
  return {
    ...view,
    lastSeen: view.lastSeen?.toISOString() ?? null,
    claimedAt: view.claimedAt?.toISOString() ?? null,
  };
}
