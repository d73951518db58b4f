import type { SessionStatus } from '../operate/types.ts';
import { type ChainLink, firstBroken, type LinkName } from './cause-chain.ts';
import type { LifecycleState } from './transitions.ts';

/** By the state alone; `null` where it depends on how the work goes. */
const byState: { readonly [S in LifecycleState]: string | null } = {
  UNPROVISIONED: 'Set the device up with the app: scan the label or type its setup code (ares-agent label).',
  PROVISIONING: 'Wait: the device is being set up.',
  OPERATING: null,
  RECOVERY_NEEDED:
    'As its owner, ask for a recovery token in the app, press the button of the device and hand the token over by Bluetooth.',
  BLOCKED: 'Ask the operator of the cloud why the device is blocked.',
  RESETTING: 'Wait: the device forgets its owner.',
};

const byLink: { readonly [L in LinkName]: string } = {
  radio: 'Make the Bluetooth adapter work; without it no phone finds the device.',
  wifi: 'See that the access point is on and in reach, or give the device another network with the app: press its button first.',
  address: 'See that the network hands out addresses (DHCP) and leads to the internet.',
  dns: 'See that the network has a name server that answers ("status --probe" asks it).',
  clock:
    'Let the network reach a time server (NTP); where the clock is kept by other means, set "clock": "assume".',
  tls: 'See that nothing on the way opens connections (a login page, a filter), and that the trust file is that of your cloud; "status --probe" shows who answers.',
  claim:
    'Wait: the device asks the cloud for the reason by itself. If it stays so, ask the operator of the cloud.',
  broker:
    'Wait: it is tried again by itself. If it stays so, see that the network lets the port of the broker through, and ask the operator of the cloud.',
  quota: 'Make room on the disk; if the cloud takes no readings, ask its operator.',
};

/** What a person can do now, in one or two sentences; `null` when nothing is needed. */
export function whatToDo(facts: {
  readonly state: LifecycleState;
  readonly chain: readonly ChainLink[];
  readonly session: SessionStatus | null;
}): string | null {
  const { state, chain, session } = facts;
  const advice = byState[state];
  if (advice !== null) return advice;
  const broken = firstBroken(chain);
  if (broken !== undefined) return byLink[broken.link];
  if (session === null) return null;
  if (!session.guardAvailable)
    return 'Look into the log why the guard does not start; until then nothing is switched on.';
  const failing = session.components.find(({ status }) => status === 'ERROR');
  return failing === undefined
    ? null
    : `Look at component ${failing.componentId} (${failing.componentType}): its reason is below.`;
}
