import { randomBytes } from 'node:crypto';
import { BleError, type BleResponse } from '@ares/protocol/ble';
import { sentenceOf } from '../components/sentence.ts';
import type { FromBleChild, ToBleChild } from '../ports/ble-child.ts';
import type { BlePeripheral } from '../ports/ble-peripheral.ts';
import type { BleChildInput } from '../ports/child-jobs.ts';
import type { Clock } from '../ports/clock.ts';
import { createGattService } from '../provisioning/gatt-service.ts';
import type { ParentPipe } from './run-child.ts';

/**
 * The child that owns the radio: it holds the conversation's cryptography and knows nothing of the device but
 * its UUID, setup code and state. Every request that is authentic and allowed goes to the resident process.
 * Ends when the parent says `finish` or has gone.
 */
export async function runBleChild(ports: {
  readonly pipe: ParentPipe;
  readonly input: BleChildInput;
  readonly peripheral: BlePeripheral;
  readonly clock: Pick<Clock, 'after'>;
}): Promise<void> {
  const { pipe, input, peripheral } = ports;
  const send = (message: FromBleChild) => pipe.send(message);
  const waiting = new Map<number, PromiseWithResolvers<BleResponse>>();
  let lastId = 0;
  const service = createGattService({
    peripheral,
    deviceUuid: input.deviceUuid,
    setupCode: Buffer.from(input.setupCodeHex, 'hex'),
    random: randomBytes,
    clock: ports.clock,
    handle(request) {
      lastId += 1;
      const answer = Promise.withResolvers<BleResponse>();
      waiting.set(lastId, answer);
      send({ type: 'request', id: lastId, request });
      return answer.promise;
    },
    onConfirmed: () => send({ type: 'confirmed' }),
    onFailed: (reason, failuresInARow) => send({ type: 'failed-session', reason, failuresInARow }),
    onRadioFailed: (error) => giveUp(error),
  });
  const finished = Promise.withResolvers<void>();
  const giveUp = (cause: unknown) => {
    send({ type: 'unavailable', detail: sentenceOf(cause) });
    finished.resolve();
  };
  const settled = (id: number) => {
    const answer = waiting.get(id);
    waiting.delete(id);
    return answer;
  };
  pipe.gone.addEventListener('abort', () => finished.resolve());
  pipe.onMessage((raw) => {
    const message = raw as ToBleChild;
    switch (message.type) {
      case 'state':
        return service.setState(message.state);
      case 'answer':
        return settled(message.id)?.resolve(message.response);
      case 'refusal':
        return settled(message.id)?.reject(new BleError(message.code, message.detail));
      case 'finish':
        void service.finish(message.lingerMs).then(finished.resolve);
    }
  });
  try {
    await service.open();
    send({ type: 'open' });
  } catch (cause) {
    giveUp(cause);
  }
  await finished.promise;
  await service.close();
}
