import { parseRegistrationLine } from '@ares/protocol';
import type { Handlers } from '../http/handlers.ts';
import type { createUuidCorrection } from './force-uuid.ts';
import type { DeviceService } from './service.ts';
import type { DeviceView } from './types.ts';

type Routes = 'listDevices' | 'getDevice' | 'preregister' | 'registerDevice' | 'setNickname' | 'forceUuid';

export function deviceRoutes(
  service: Pick<DeviceService, 'list' | 'get' | 'preregister' | 'setNickname'> &
    ReturnType<typeof createUuidCorrection>,
): Pick<Handlers, Routes> {
  return {
    listDevices: async ({ caller, query }) => {
      const { items, nextCursor } = await service.list(caller, query);
      return { status: 200, body: { items: items.map(toBody), nextCursor } };
    },
    getDevice: async ({ caller, access }) => answer(await service.get(caller, access.deviceUuid)),
    preregister: async ({ caller, body, source }) => {
      await service.preregister({ caller, device: body, source });
      return { status: 201, body: { deviceUuid: body.deviceUuid } };
    },
    registerDevice: async ({ caller, body, source }) => {
      const parsed = parseRegistrationLine(body.registrationLine);
      if (!parsed.ok) throw new TypeError('the contract let a line through that is none');
      await service.preregister({ caller, device: { ...parsed.value, allowFirstUse: false }, source });
      return { status: 201, body: { deviceUuid: parsed.value.deviceUuid } };
    },
    forceUuid: async ({ caller, params, body, source }) => {
      const { deviceUuid, reason } = body;
      await service.forceUuid({ caller, from: params.id, to: deviceUuid, reason, source });
      return { status: 200, body: { deviceUuid } };
    },
    setNickname: async ({ caller, access, body, ifMatch, source }) =>
      answer(await service.setNickname({ caller, access, nickname: body.nickname, ifMatch, source })),
  };
}

const answer = (view: DeviceView) => ({ status: 200, body: toBody(view), version: view.version }) as const;

function toBody({ version: _, ...view }: DeviceView) {
  return {
    ...view,
    lastSeen: view.lastSeen?.toISOString() ?? null,
    claimedAt: view.claimedAt?.toISOString() ?? null,
  };
}
