import type { Handlers } from '../http/handlers.ts';
import type { EventStreams } from './streams.ts';

export function eventRoutes(streams: EventStreams): Pick<Handlers, 'deviceEvents' | 'events'> {
  return {
    async deviceEvents({ access, caller }) {
      const stream = await streams.device(access.deviceUuid, caller.userId, access.role === 'admin');
      return { status: 200, stream };
    },
    async events({ caller }) {
      return { status: 200, stream: await streams.user(caller.userId) };
    },
  };
}
