import type { CredentialsStore } from '../identity/credentials-store.ts';
import type { DeviceIdentity } from '../identity/types.ts';
import type { SessionStatus } from '../operate/types.ts';
import type { LifecycleRecord } from './lifecycle-store.ts';
import type { SessionHolder } from './session-holder.ts';
import type { LifecycleState } from './transitions.ts';

/** What `status` shows; the same for people and, as JSON, for machines. */
export interface DeviceStatus {
  readonly deviceUuid: string;
  readonly cpuSerial: string;
  readonly hardware: string;
  readonly agentVersion: string;
  readonly state: LifecycleState;
  readonly why: string;
  /** ISO 8601 UTC. */
  readonly since: string;
  /** What a person can do now; `null` when nothing is needed. */
  readonly whatToDo: string | null;
  readonly bluetooth: 'open' | 'closed';
  readonly cloud: string | null;
  readonly assignment: number | null;
  readonly certificateEnds: string | null;
  /** `null` unless the agent runs and operates. */
  readonly session: SessionStatus | null;
}

const advice: { readonly [S in LifecycleState]: string | null } = {
  UNPROVISIONED: 'Set the device up with the app: scan the label or type its setup code.',
  PROVISIONING: 'Wait: the device is being set up.',
  OPERATING: null,
  RECOVERY_NEEDED:
    'As its owner, ask for a recovery token in the app, press the button of the device and hand the token over by Bluetooth.',
  BLOCKED: 'Ask the operator of the cloud why the device is blocked.',
  RESETTING: 'Wait: the device forgets its owner.',
};

export function describeStatus(ports: {
  readonly identity: DeviceIdentity;
  readonly record: LifecycleRecord;
  readonly credentials: CredentialsStore;
  readonly holder: Pick<SessionHolder, 'current'>;
  readonly bluetoothOpen: boolean;
  readonly config: { readonly agentVersion: string };
}): DeviceStatus {
  const { identity, record } = ports;
  const session = ports.holder.current()?.status() ?? null;
  const loaded = ports.credentials.load();
  const stored = loaded.kind === 'found' ? loaded.value : undefined;
  return {
    deviceUuid: identity.deviceUuid,
    cpuSerial: identity.cpuSerial,
    hardware: `${identity.hardwareVersion} ${identity.hardwareVariant}`,
    agentVersion: ports.config.agentVersion,
    state: record.state,
    why: record.why,
    since: new Date(record.since).toISOString(),
    whatToDo: advice[record.state] ?? connectionAdvice(session),
    bluetooth: ports.bluetoothOpen ? 'open' : 'closed',
    cloud: record.cloud?.apiUrl ?? null,
    assignment: record.cloud?.assignment ?? null,
    certificateEnds: stored === undefined ? null : new Date(stored.answer.notAfter).toISOString(),
    session,
  };
}

function connectionAdvice(session: SessionStatus | null): string | null {
  if (session === null || session.connection.state === 'connected') return null;
  return session.connection.detail ?? null;
}
