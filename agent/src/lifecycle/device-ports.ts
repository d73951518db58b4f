import type { CredentialsIssuer } from '../identity/credentials-issuer.ts';
import type { CredentialsStore } from '../identity/credentials-store.ts';
import type { LocalIdentity } from '../identity/identity-store.ts';
import type { Trust } from '../identity/types.ts';
import type { ChildJobs, RadioSettings } from '../ports/child-jobs.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Pulse } from '../ports/pulse.ts';
import type { Wifi } from '../ports/wifi.ts';
import type { FailSafeConfig } from '../provisioning/fail-safe.ts';
import type { ProvisioningJournalStore } from '../provisioning/journal.ts';
import type { NetworkChanger } from '../provisioning/network-change.ts';
import type { ResetMarker } from '../reset/reset.ts';
import type { DeviceStore } from '../store/types.ts';
import type { LifecycleStore } from './lifecycle-store.ts';
import type { SessionHolder } from './session-holder.ts';

/** Everything that a device's life needs. */
export interface DevicePorts {
  readonly local: LocalIdentity;
  /** Read anew: a recovery replaces the identity key. */
  reloadLocal(): LocalIdentity;
  readonly trust: Trust;
  readonly lifecycle: LifecycleStore;
  readonly credentials: CredentialsStore;
  readonly issuer: CredentialsIssuer;
  readonly journal: ProvisioningJournalStore;
  readonly marker: ResetMarker;
  readonly store: DeviceStore;
  readonly holder: SessionHolder;
  readonly wifi: Wifi;
  readonly networkChanger: NetworkChanger;
  readonly jobs: ChildJobs;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pulse?: Pulse | undefined;
  /** 0 ≤ x < 1. */
  random(): number;
  readonly config: {
    readonly agentVersion: string;
    /** What the hardware says of itself; for people. */
    readonly board?: string | undefined;
    readonly radio: RadioSettings;
    readonly failSafe: FailSafeConfig;
  };
}

/** How long a press of the button, or a start that needs its owner, keeps Bluetooth open, ms. */
export const BLE_WINDOW_MS = 15 * 60_000;
