import type { StepReport } from '@ares/protocol/ble';
import type { CredentialsStore } from '../identity/credentials-store.ts';
import type { DeviceIdentity } from '../identity/types.ts';
import type { SessionStatus } from '../operate/types.ts';
import { type ChainLink, causeChain } from './cause-chain.ts';
import type { LifecycleRecord } from './lifecycle-store.ts';
import type { SessionHolder } from './session-holder.ts';
import type { LifecycleState } from './transitions.ts';
import { whatToDo } from './what-to-do.ts';

/** What `status` shows; the same for people and, as JSON, for machines. */
export interface DeviceStatus {
  /** These three are `null` while the identity cannot be read. */
  readonly deviceUuid: string | null;
  readonly cpuSerial: string | null;
  readonly hardware: string | null;
  readonly agentVersion: string;
  /** The hardware as the running agent opened it. */
  readonly board: string | null;
  readonly state: LifecycleState | 'WAITING_FOR_TRUST' | 'NEEDS_REPAIR';
  readonly why: string;
  /** ISO 8601 UTC. */
  readonly since: string;
  /** What a person can do now; `null` when nothing is needed. */
  readonly whatToDo: string | null;
  readonly bluetooth: 'open' | 'closed';
  readonly cloud: string | null;
  readonly assignment: number | null;
  readonly certificateEnds: string | null;
  /** What stands between the device and its cloud, in order. */
  readonly chain: readonly ChainLink[];
  /** `null` unless the agent runs and operates. */
  readonly session: SessionStatus | null;
}

export function describeStatus(ports: {
  readonly identity: DeviceIdentity | undefined;
  readonly record: LifecycleRecord;
  readonly credentials: CredentialsStore;
  readonly holder: Pick<SessionHolder, 'current'>;
  readonly bluetooth: { readonly isOpen: boolean; readonly problem: string | undefined };
  readonly steps: readonly StepReport[];
  readonly config: { readonly agentVersion: string; readonly board?: string | undefined };
}): DeviceStatus {
  const { record, bluetooth, steps } = ports;
  const { state, why } = record;
  const session = ports.holder.current()?.status() ?? null;
  const loaded = ports.credentials.load();
  const stored = loaded.kind === 'found' ? loaded.value : undefined;
  const { isOpen: bluetoothOpen, problem: radioProblem } = bluetooth;
  const chain = causeChain({ state, why, steps, session, bluetoothOpen, radioProblem });
  return {
    ...describeIdentity(ports.identity),
    agentVersion: ports.config.agentVersion,
    board: ports.config.board ?? null,
    state,
    why,
    since: new Date(record.since).toISOString(),
    whatToDo: whatToDo({ state, chain, session }),
    bluetooth: bluetoothOpen ? 'open' : 'closed',
    cloud: record.cloud?.apiUrl ?? null,
    assignment: record.cloud?.assignment ?? null,
    certificateEnds: stored === undefined ? null : new Date(stored.answer.notAfter).toISOString(),
    chain,
    session,
  };
}

/** Of a device whose life cannot begin. */
export function waitingStatus(
  waiting: {
    readonly state: 'WAITING_FOR_TRUST' | 'NEEDS_REPAIR';
    readonly why: string;
    readonly since: number;
  },
  identity: DeviceIdentity | undefined,
  agentVersion: string,
): DeviceStatus {
  const { state, why } = waiting;
  const nothing = { bluetoothOpen: false, radioProblem: undefined, steps: [], session: null };
  return {
    ...describeIdentity(identity),
    agentVersion,
    board: null,
    state,
    why,
    since: new Date(waiting.since).toISOString(),
    whatToDo:
      state === 'WAITING_FOR_TRUST'
        ? 'Give it the trust file of your cloud: sudo ares-agent factory-init --trust FILE. The agent goes on by itself.'
        : 'Do what the reason says. The agent goes on by itself.',
    bluetooth: 'closed',
    cloud: null,
    assignment: null,
    certificateEnds: null,
    chain: causeChain({ state, why, ...nothing }),
    session: null,
  };
}

function describeIdentity(identity: DeviceIdentity | undefined) {
  if (identity === undefined) return { deviceUuid: null, cpuSerial: null, hardware: null };
  const { deviceUuid, cpuSerial, hardwareVersion, hardwareVariant } = identity;
  return { deviceUuid, cpuSerial, hardware: `${hardwareVersion} ${hardwareVariant}` };
}
