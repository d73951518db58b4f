import { keepApps } from './apps/gate.ts';
import { appRepository } from './apps/repository.ts';
import { appRoutes } from './apps/routes.ts';
import { createAppCertificates } from './apps/service.ts';
import { pushStateToApps } from './apps/state-pushes.ts';
import type { Foundation } from './compose-foundation.ts';
import type { BrokerLink } from './ports/broker-link.ts';
import type { DeviceBroker } from './ports/device-broker.ts';
import type { LiveState } from './state/live-state.ts';

/** Certificates for apps, and the state that they hear of at the broker. */
export async function createApps(
  foundation: Foundation,
  parts: { readonly broker: BrokerLink; readonly state: LiveState; readonly group: string },
  stack: AsyncDisposableStack,
) {
  const { config, database, clock, log, ports } = foundation;
  const stop = await pushStateToApps({
    link: parts.broker,
    state: parts.state,
    viewersOf: (deviceUuid) => appRepository.viewersOf(database.db, deviceUuid),
    clock,
    log,
    group: parts.group,
  });
  stack.defer(stop);
  const mqtt = { host: config.mqtt.host, port: ports.mqtt };
  return appRoutes(
    createAppCertificates({
      ...foundation,
      config: { mqtt, brokerAsks: config.mosquitto === undefined },
    }),
  );
}

/** Rights of apps at the broker that this process runs or directs. */
export function startAppRights(
  { database, clock, log }: Foundation,
  broker: Pick<DeviceBroker, 'syncApps'>,
  stack: AsyncDisposableStack,
): void {
  stack.defer(keepApps({ broker, database, clock, log }));
}
