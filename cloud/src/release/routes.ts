import type { Handlers } from '../http/handlers.ts';
import type { ReceiptService } from './receipt-service.ts';
import type { ReleaseService } from './service.ts';

export function releaseRoutes(services: {
  readonly release: Pick<ReleaseService, 'release'>;
  readonly receipts: ReceiptService;
}): Pick<Handlers, 'unlink' | 'resetReceipt'> {
  return {
    unlink: async ({ access, caller, source }) => {
      const { deviceUuid, assignmentId } = access;
      await services.release.release({ deviceUuid, assignmentId, actorUserId: caller.userId, source });
      return { status: 204 };
    },
    resetReceipt: async ({ body }) => {
      await services.receipts.accept(body);
      return { status: 204 };
    },
  };
}
