import type { Handlers } from '../http/handlers.ts';
import type { TelemetryQueries } from './query-service.ts';

export function telemetryRoutes(queries: TelemetryQueries): Pick<Handlers, 'telemetry'> {
  return {
    async telemetry({ access, caller, query }) {
      const { from, to, ...rest } = query;
      const readings = await queries.list(
        { deviceId: access.deviceId, userId: access.everything ? undefined : caller.userId },
        {
          ...rest,
          ...(from !== undefined && { from: new Date(from) }),
          ...(to !== undefined && { to: new Date(to) }),
        },
      );
      const items = readings.map((reading) => ({
        ...reading,
        measuredAt: reading.measuredAt.toISOString(),
      }));
      return { status: 200, body: { items } };
    },
  };
}
