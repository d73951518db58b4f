import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ComponentTypeDefinition, parseRegistrationLine } from '@ares/protocol';
import { createVirtualPi, type VirtualPi } from '../../cloud/src/demo/virtual-pi.ts';
import { connectWithin, greenhouseWifi, pairVirtualPi } from '../../cloud/src/phone/simulated-phone.ts';
import type { Cluster } from './cluster.ts';

export interface ClaimedDevice {
  readonly pi: VirtualPi;
  readonly deviceUuid: string;
  /** The component that was attached. */
  readonly componentId: number;
}

/** A virtual Pi with one component of a type that a driver in `test/faults/drivers` serves, claimed by the owner. */
export async function claimWith(options: {
  readonly folder: string;
  readonly cluster: Cluster;
  readonly definition: ComponentTypeDefinition;
  readonly component?: { readonly pins?: Record<string, number>; readonly config?: Record<string, unknown> };
}): Promise<ClaimedDevice> {
  const { folder, cluster, definition } = options;
  const { componentType } = definition;
  mkdirSync(folder, { recursive: true });
  const settings = join(folder, 'agent.json');
  const driver = fileURLToPath(new URL(`../faults/drivers/${componentType}`, import.meta.url));
  // A fleet comes back over half a minute, and over five after a long outage; one device in a test need not.
  const operating = { reconnectSpreadMs: 2_000, reconnectCapMs: 10_000 };
  writeFileSync(settings, JSON.stringify({ drivers: { [componentType]: driver }, operating }));
  const pi = createVirtualPi(join(folder, 'pi'), { config: settings });
  const factory = await pi.factoryInit(cluster.trust);
  const parsed = parseRegistrationLine(factory.registrationLine);
  if (!parsed.ok) throw new Error('factory-init printed no registration line');
  await cluster.admin.preregister({ body: parsed.value });
  await cluster.admin.addComponentType({ body: definition });
  await pi.start();
  const deviceUuid = await pairVirtualPi({
    link: await connectWithin(pi.bleSocket, 30_000),
    setupCode: factory.setupCode,
    client: cluster.owner,
    wifi: greenhouseWifi,
    components: [{ componentType, ...options.component }],
    onEvent: () => {},
  });
  const { items } = await cluster.owner.listComponents({ params: { id: deviceUuid } });
  const component = items.find((item) => item.componentType === componentType);
  if (component === undefined) throw new Error(`${componentType} is not attached`);
  return { pi, deviceUuid, componentId: component.componentId };
}
