import { orderTypes, topics } from '@ares/protocol';
import type { BrokerLink } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { ComponentsChangedPublisher } from '../ports/components-changed.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { OrderSigner } from './order-signer.ts';

/** A device that hears it later than this has fetched its components since, when it connected. */
const VALID_MS = 300_000;

/** Tells a connected device to fetch its components again. */
export function createComponentsChangedPublisher(options: {
  readonly database: Pick<CloudDatabase, 'db'>;
  readonly link: BrokerLink;
  readonly orders: Pick<OrderSigner, 'sign'>;
  readonly clock: Clock;
  readonly newUuid: () => string;
  readonly log: Logger;
}): ComponentsChangedPublisher {
  const { database, link, orders, clock, newUuid, log } = options;
  const send = async (deviceUuid: string, revision: number): Promise<void> => {
    const assignment = await database.db
      .selectFrom('assignments as a')
      .innerJoin('devices as d', 'd.id', 'a.device_id')
      .where('d.device_uuid', '=', deviceUuid)
      .where('a.ended_at', 'is', null)
      .select('a.number')
      .executeTakeFirst();
    if (assignment === undefined) return;
    const topic = topics.componentsChanged.build({ deviceUuid });
    const jws = await orders.sign(orderTypes.componentsChanged, {
      aud: deviceUuid,
      asg: assignment.number,
      topic,
      jti: newUuid(),
      exp: (clock.now() + VALID_MS) / 1_000,
      seq: revision,
    });
    await link.publish(topic, jws, { qos: 1 });
  };
  return {
    async publish({ deviceUuid, revision }) {
      await send(deviceUuid, revision).catch((error: Error) =>
        log.warn({ deviceUuid, error: error.message }, 'the device was not told that its components changed'),
      );
    },
  };
}
