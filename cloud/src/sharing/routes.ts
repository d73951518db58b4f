import type { Handlers } from '../http/handlers.ts';
import type { SharingService } from './service.ts';
import type { Share } from './types.ts';

type Routes = 'listViewers' | 'shareDevice' | 'stopSharing' | 'leaveDevice';

export function sharingRoutes(service: SharingService): Pick<Handlers, Routes> {
  return {
    listViewers: async ({ access, query }) => {
      const { items, nextCursor } = await service.list(access, query);
      return { status: 200, body: { items: items.map(toBody), nextCursor } };
    },
    shareDevice: async ({ caller, access, body, source }) => ({
      status: 201,
      body: toBody(await service.share({ caller, access, email: body.email, source })),
    }),
    stopSharing: async ({ caller, access, params, source }) => {
      await service.stop({ caller, access, viewerId: params.viewerId, source });
      return { status: 204 };
    },
    leaveDevice: async ({ caller, access, source }) => {
      await service.leave({ caller, access, source });
      return { status: 204 };
    },
  };
}

const toBody = ({ sharedAt, ...share }: Share) => ({ ...share, sharedAt: sharedAt.toISOString() });
