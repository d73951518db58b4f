import { orderTypes } from '@ares/protocol';
import type { Handlers } from '../http/handlers.ts';
import type { OrderSigner } from '../orders/order-signer.ts';
import type { StandingService } from './service.ts';

export function standingRoutes(standing: StandingService): Pick<Handlers, 'standing'> {
  return {
    standing: async ({ body }) => ({ status: 200, body: { standing: await standing.ask(body) } }),
  };
}

/** Of the time alone nobody can make anything: it is told to whoever asks, and is of a type of its own. */
export function timeRoutes(orders: Pick<OrderSigner, 'sign'>): Pick<Handlers, 'deviceTime'> {
  return {
    deviceTime: async ({ body: { nonce } }) => ({
      status: 200,
      body: { time: await orders.sign(orderTypes.time, { nonce }) },
    }),
  };
}
