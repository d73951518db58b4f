import type { ComponentTypeDefinition, Mac } from '@ares/protocol';
import type { LifeCycle } from '../database/schema.ts';

/** A shared secret of a device as a function; the secret itself is not kept anywhere else. */
export interface DeviceKey {
  /** `a<assignment>.<n>` */
  readonly kid: string;
  readonly mac: Mac;
  /** Epoch ms; a retired key is accepted until then. */
  readonly endsAt: number | undefined;
}

interface KnownMetric {
  readonly metricId: number;
  readonly min: number;
  readonly max: number;
}

/** A component of the running assignment, also one that is detached: its old readings may still arrive. */
export interface KnownComponent {
  readonly componentId: number;
  readonly componentType: string;
  readonly definition: ComponentTypeDefinition;
  /** Epoch ms. */
  readonly attachedAt: number;
  readonly detachedAt: number | undefined;
  /** Its pins are allowed by the rules of the hardware variant. */
  readonly allowed: boolean;
  readonly metrics: ReadonlyMap<string, KnownMetric>;
}

/** A start of the agent that spoke to the cloud. */
export interface KnownBoot {
  /** `device_boots.id` */
  readonly id: number;
  readonly bootId: string;
  readonly bootCount: number;
  /** Epoch ms of uptime 0, once something fixed it. */
  anchorMs: number | undefined;
  /** It named itself as the running one. */
  bornAt: number | undefined;
  /** Epoch ms. */
  readonly firstSeen: number;
}

/** Everything that decides about a message, loaded once and dropped when a notice says that it changed. */
export interface KnownDevice {
  readonly deviceId: number;
  readonly deviceUuid: string;
  readonly cpuSerial: string;
  readonly hardwareVersion: string;
  readonly hardwareVariant: string;
  readonly lifeCycle: LifeCycle;
  readonly assignment:
    | {
        readonly id: number;
        readonly number: number;
        readonly userEmail: string;
        /** Of the same owner: a device learns a new one at its next renewal. */
        readonly formerEmails: readonly string[];
      }
    | undefined;
  /** Newest first. */
  readonly keys: readonly DeviceKey[];
  readonly components: ReadonlyMap<number, KnownComponent>;
  /** By `bootId`; new ones are added as they appear. */
  readonly boots: Map<string, KnownBoot>;
}
