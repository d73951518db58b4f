import type { Handlers } from '../http/handlers.ts';
import type { TelemetryQueries } from './query-service.ts';
import { readingsText } from './readings-text.ts';

export function telemetryRoutes(queries: TelemetryQueries): Pick<Handlers, 'telemetry'> {
  return {
    async telemetry({ access, caller, query, format }) {
      const { from, to, format: _asked, ...rest } = query;
      const scope = { deviceId: access.deviceId, userId: access.everything ? undefined : caller.userId };
      const wanted = {
        ...rest,
        ...(from !== undefined && { from: new Date(from) }),
        ...(to !== undefined && { to: new Date(to) }),
      };
      if (format === 'json') return { status: 200, body: await queries.page(scope, wanted) };
      const found = queries.stream(scope, wanted);
      return {
        status: 200,
        text: readingsText(found, format),
        fileName: `telemetry-${access.deviceUuid}-${found.resolution}`,
      };
    },
  };
}
