import { ProblemError } from '@ares/protocol';
import type { Handlers } from '../http/handlers.ts';
import type { LiveState } from './live-state.ts';

export function stateRoutes(state: LiveState): Pick<Handlers, 'state'> {
  return {
    async state({ access }) {
      const document = await state.document(access.deviceUuid);
      if (document === undefined) throw new ProblemError('NOT_FOUND', 'No such device.');
      return { status: 200, body: { ...document, components: [...document.components] } };
    },
  };
}
