import type { Foundation } from './compose-foundation.ts';
import { endSessionsOnNotice } from './pki/session-end.ts';
import type { DeviceBroker } from './ports/device-broker.ts';
import { createStateRepository } from './state/repository.ts';

const TOUCH_MS = 20_000;

/** Ends sessions at the notice of any process, and writes down who is connected. */
export function watchSessions(
  { database, certificates, clock, log }: Foundation,
  broker: DeviceBroker,
  stack: AsyncDisposableStack,
): void {
  stack.defer(endSessionsOnNotice({ broker, database, certificates, log }));
  // A device with nothing to say is alive as long as its connection is.
  const seen = createStateRepository(database);
  const touch = setInterval(() => {
    const now = clock.now();
    const devices = new Map(broker.connectedDevices().map((deviceUuid) => [deviceUuid, now]));
    if (devices.size === 0) return;
    seen
      .saveLastSeen(devices)
      .catch((error: Error) => log.warn({ error: error.message }, 'who is connected was not written down'));
  }, TOUCH_MS);
  stack.defer(() => clearInterval(touch));
}

export function signBrokerCertificate({ authority, config }: Foundation) {
  const { mqtt, mosquitto } = config;
  const names = [...serverNames(mqtt.host), ...(mosquitto === undefined ? [] : [mosquitto.host])];
  return authority.signServer({ names: [...new Set(names)] });
}

/** The announced name, and the loopback names for processes beside. */
export function serverNames(host: string): string[] {
  return [...new Set([host, 'localhost', '127.0.0.1'])];
}
