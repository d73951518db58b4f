import { setTimeout as wait } from 'node:timers/promises';
import type { VirtualPi } from '../../cloud/src/demo/virtual-pi.ts';
import type { Cluster, ClusterPart } from './cluster.ts';
import type { SeededRandom } from './random.ts';

/** SIGKILL, a pause of up to 1.5 s, and a new start. */
export async function killAndRevive(
  victim: ClusterPart | 'agent',
  parts: { readonly random: SeededRandom; readonly cluster: Cluster; readonly pi: VirtualPi },
): Promise<void> {
  const pause = parts.random.between(0, 1_500);
  if (victim === 'agent') await parts.pi.killAgent();
  else await parts.cluster.kill(victim);
  await wait(pause);
  if (victim === 'agent') parts.pi.startAgent();
  else await parts.cluster.start(victim);
}
