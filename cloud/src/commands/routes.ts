import type { Handlers } from '../http/handlers.ts';
import type { CommandService } from './service.ts';
import type { CommandRow } from './types.ts';
import type { WifiChangeService } from './wifi-change.ts';

export function commandRoutes(
  service: CommandService,
  wifi: WifiChangeService,
): Pick<Handlers, 'sendCommand' | 'listCommands' | 'changeWifi'> {
  return {
    async changeWifi({ caller, access, body, query, source, signal }) {
      const { ttlSeconds, ...credentials } = body;
      const { commandId, command } = await wifi.change({
        caller,
        access,
        credentials,
        ttlSeconds,
        source,
        waitSeconds: query.wait,
        signal,
      });
      return command === undefined
        ? { status: 202, body: { commandId } }
        : { status: 200, body: toShown(command) };
    },
    async sendCommand({ caller, access, body, query, source, signal }) {
      const { commandId, command } = await service.send({
        caller,
        access,
        request: body,
        source,
        waitSeconds: query.wait,
        signal,
      });
      return command === undefined
        ? { status: 202, body: { commandId } }
        : { status: 200, body: toShown(command) };
    },
    async listCommands({ access, caller, query }) {
      const { items, nextCursor } = await service.list(access, caller, query);
      return { status: 200, body: { items: items.map(toShown), nextCursor } };
    },
  };
}

function toShown(row: CommandRow) {
  return {
    commandId: row.id,
    componentId: row.componentId,
    componentType: row.componentType,
    action: row.action,
    args: row.args,
    status: row.status,
    ...(row.code !== null && { code: row.code }),
    ...(row.detail !== null && { detail: row.detail }),
    ...(row.verified !== null && { verified: row.verified }),
    ...(row.leaseEndsAt !== null && { leaseEndsAt: row.leaseEndsAt.toISOString() }),
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    finishedAt: row.finishedAt?.toISOString() ?? null,
  };
}
