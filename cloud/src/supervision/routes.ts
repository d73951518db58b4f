import { isAdmin } from '../accounts/types.ts';
import type { Handlers } from '../http/handlers.ts';
import type { SupervisionService } from './service.ts';
import type { AlertView } from './types.ts';

type Routes =
  | 'blockDevice'
  | 'unblockDevice'
  | 'liftQuarantine'
  | 'listSecurityEvents'
  | 'listAlerts'
  | 'testAlert'
  | 'resolveAlert';

export function supervisionRoutes(service: SupervisionService): Pick<Handlers, Routes> {
  return {
    blockDevice: async ({ caller, params, body, source }) => {
      await service.block({ caller, deviceUuid: params.id, reason: body.reason, source });
      return { status: 204 };
    },
    unblockDevice: async ({ caller, params, body, source }) => {
      await service.unblock({ caller, deviceUuid: params.id, reason: body.reason, source });
      return { status: 204 };
    },
    liftQuarantine: async ({ caller, params, body, source }) => {
      await service.liftQuarantine({ caller, deviceUuid: params.id, reason: body.reason, source });
      return { status: 204 };
    },
    listSecurityEvents: async ({ caller, params, query }) => {
      const { from, to, ...rest } = query;
      const { items, nextCursor } = await service.events(caller, params.id, {
        ...rest,
        ...(from !== undefined && { from: new Date(from) }),
        ...(to !== undefined && { to: new Date(to) }),
      });
      const body = { items: items.map((item) => ({ ...item, at: item.at.toISOString() })), nextCursor };
      return { status: 200, body };
    },
    listAlerts: async ({ caller, query }) => {
      const { open, ...rest } = query;
      const { items, nextCursor } = await service.alerts(caller, {
        ...rest,
        ...(open !== undefined && { open: open === 'true' }),
      });
      return {
        status: 200,
        body: { items: items.map((item) => toBody(item, isAdmin(caller))), nextCursor },
      };
    },
    testAlert: async ({ caller, body, source }) => ({
      status: 201,
      body: toBody(await service.test({ caller, ...body, source }), true),
    }),
    resolveAlert: async ({ caller, params, body, source }) => ({
      status: 200,
      body: toBody(await service.resolve({ caller, alertId: params.alertId, ...body, source }), true),
    }),
  };
}

/** Evidence names strangers: it is for administrators. */
function toBody({ detail, ...alert }: AlertView, withDetail: boolean) {
  return {
    ...alert,
    at: alert.at.toISOString(),
    resolvedAt: alert.resolvedAt?.toISOString() ?? null,
    ...(withDetail && { detail }),
  };
}
