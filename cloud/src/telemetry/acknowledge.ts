import { type Acknowledgement, MESSAGE_VERSION, signMessage, topics, toRanges } from '@ares/protocol';
import type { BrokerLink } from '../ports/broker-link.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Refusal } from './admission.ts';
import type { DeviceKey } from './types.ts';

interface AcknowledgementInput {
  readonly deviceUuid: string;
  /** The key that signed the device's message: so the device has it. */
  readonly key: DeviceKey;
  readonly bootId: string;
  readonly stored?: readonly number[];
  readonly rejected?: readonly Refusal[];
  /** Commands whose results are stored. */
  readonly results?: readonly string[];
}

export type Acknowledge = (input: AcknowledgementInput) => void;

/** Sends acknowledgements. One that is lost costs a repeated message and nothing else, so nobody waits for it. */
export function createAcknowledge(options: {
  readonly link: BrokerLink;
  readonly clock: Clock;
  readonly log: Logger;
}): Acknowledge {
  const { link, clock, log } = options;
  return ({ deviceUuid, key, bootId, stored = [], rejected = [], results }) => {
    const topic = topics.telemetryAck.build({ deviceUuid });
    const body: Acknowledgement = {
      v: MESSAGE_VERSION,
      kid: key.kid,
      bootId,
      stored: toRanges(stored),
      rejected: [...rejected],
      ...(results !== undefined && { results: [...results] }),
      cloudTime: clock.now(),
    };
    link
      .publish(topic, signMessage(topic, body, key.mac))
      .catch((error: Error) =>
        log.debug({ deviceUuid, error: error.message }, 'an acknowledgement was not sent'),
      );
  };
}
