import type { ComponentTypeDefinition } from '@ares/protocol';
import type { ColumnType, Generated } from 'kysely';
import type { AccountTables } from './schema-accounts.ts';
import type { AppTables } from './schema-apps.ts';
import type { DeviceTables } from './schema-devices.ts';
import type { IdempotencyTables } from './schema-idempotency.ts';
import type { KeysTables } from './schema-keys.ts';
import type { TelemetryTables } from './schema-telemetry.ts';

/** Columns that the database fills in and nobody changes. */
type Fixed<T> = ColumnType<T, T | undefined, never>;
type Json<T> = ColumnType<T, string, string>;

export type LifeCycle = 'REGISTERED' | 'ACTIVE' | 'RECOVERY_NEEDED' | 'QUARANTINED' | 'BLOCKED' | 'RELEASED';
export type CertificateStatus = 'PENDING' | 'ACTIVE' | 'SUPERSEDED' | 'REVOKED';
export type CommandStatus = 'PENDING' | 'COMPLETED' | 'FAILED' | 'REJECTED' | 'EXPIRED' | 'STALE' | 'UNKNOWN';

interface HardwareVariants {
  id: Generated<number>;
  hardware_version: string;
  hardware_variant: string;
  description: string | null;
  created_at: Fixed<Date>;
  version: Generated<number>;
}

interface Devices {
  id: Generated<number>;
  device_uuid: string;
  cpu_serial: string;
  /** Hex SHA-256 of the SPKI; null while an administrator allows first use. */
  identity_key_hash: string | null;
  /** SPKI (DER) of that key, from the first request that showed it. */
  identity_key: Buffer | null;
  first_use_until: Date | null;
  /** When another board showed this device's identity key; cleared by recovery. */
  clone_seen_at: Date | null;
  hardware_variant_id: number;
  life_cycle: Generated<LifeCycle>;
  /** Set while the device is BLOCKED. */
  life_cycle_before_block: LifeCycle | null;
  /** Grows with each edit of what people may edit. */
  version: Generated<number>;
  nickname: string | null;
  components_revision: Generated<number>;
  created_at: Fixed<Date>;
  /** Persisted from the live state every half minute, and at each change of presence. */
  last_seen: Date | null;
  presence: Generated<'ONLINE' | 'OFFLINE' | 'TIMEOUT'>;
  /** Connection of the latest birth. */
  connection_id: string | null;
  /** When it became ONLINE, as long as it is. */
  online_since: Date | null;
  /** When its components' health is to be looked at next; null while nothing is expected of them. */
  health_due_at: Date | null;
  /** What was last told of that health, for the sweep alone. */
  health_told: string | null;
}

interface DeviceBoots {
  id: Generated<number>;
  device_id: number;
  boot_id: string;
  boot_count: number;
  /** Epoch ms of uptime 0; null until something fixes it. */
  anchor_ms: number | null;
  first_seen: Fixed<Date>;
  /** When the boot named itself in a birth. */
  born_at: Date | null;
}

interface Assignments {
  id: Generated<number>;
  device_id: number;
  /** Grows with each claim of the device. */
  number: number;
  user_id: number;
  started_at: Fixed<Date>;
  ended_at: Date | null;
  /** The `n` of the current secret's `kid`. */
  secret_n: Generated<number>;
  /** Orders to change the Wi-Fi so far. */
  wifi_seq: Generated<number>;
  /** Signed reset order of the release, handed out by standing until the receipt came. */
  reset_order: string | null;
  /** `jti` of that order. */
  reset_order_id: string | null;
  reset_receipt_at: Date | null;
  /** Until then a released device may still hear its reset order; `null` once its certificate is revoked. */
  revoke_due_at: Date | null;
}

/** Identity keys that recovery replaced; a trigger keeps them from ever being pinned again. */
interface RetiredIdentityKeys {
  spki_hash: string;
  device_id: number | null;
  retired_at: Fixed<Date>;
}

interface AssignmentSecrets {
  id: Generated<number>;
  assignment_id: number;
  /** `kid` is `a<assignment number>.<n>`. */
  n: number;
  sealed: Buffer;
  created_at: Fixed<Date>;
  retired_at: Date | null;
}

interface AssignmentViewers {
  assignment_id: number;
  user_id: number;
  /** Ends with it. */
  share_id: string | null;
}

interface SupportedComponents {
  id: Generated<number>;
  component_type: string;
  definition: Json<ComponentTypeDefinition>;
  built_in: boolean;
  version: Generated<number>;
}

interface Metrics {
  id: Generated<number>;
  component_type_id: number;
  metric: string;
}

interface DevicePinConfigs {
  id: Generated<number>;
  hardware_variant_id: number;
  component_type: string;
  role: string;
  pins: number[];
  version: Generated<number>;
}

interface AttachedComponents {
  id: Generated<number>;
  device_id: number;
  assignment_id: number;
  component_type_id: number;
  name: string | null;
  pins: Json<Record<string, number>>;
  config: Json<Record<string, unknown>>;
  /** Highest `seq` given to a command of this component. */
  command_seq: Generated<number>;
  version: Generated<number>;
  attached_at: Fixed<Date>;
  detached_at: Date | null;
}

interface ComponentHealthRows {
  component_id: number;
  status: 'OK' | 'ERROR';
  reason: string | null;
  boot_count: number;
  uptime_ms: number;
  /** As the device says it; null: the type's. */
  sample_interval_ms: number | null;
}

interface Claims {
  id: string;
  device_id: number;
  user_id: number;
  nonce_hash: Buffer;
  /** SPKI hash that the app read from the device. */
  identity_key_hash: string;
  created_at: Fixed<Date>;
  expires_at: Date;
  used_at: Date | null;
  /** The administrator who asked for it; null when the user did. */
  asked_by: number | null;
}

interface ClaimAttempts {
  user_id: number;
  at: Date;
}

/** Nonces that were used; those that were only given out are nowhere. */
interface Challenges {
  nonce_hash: Buffer;
  device_uuid: string;
  expires_at: Date;
  used_at: Date;
}

interface RecoveryTokens {
  token_hash: Buffer;
  device_id: number;
  expires_at: Date;
  used_at: Date | null;
}

interface RecoveryFailures {
  device_id: number;
  at: Date;
}

interface Certificates {
  id: Generated<number>;
  device_id: number;
  assignment_id: number;
  /** Lower-case hex, drawn before signing. */
  serial: string;
  /** Hex SHA-256 of the SPKI of the certificate's key: the look-up of a repeated request. */
  spki_hash: string;
  chain_pem: string | null;
  not_before: Date | null;
  not_after: Date | null;
  status: CertificateStatus;
  /** Hash of nonce, grant and request: only the same request gets the same answer again. */
  request_hash: string;
  claim_id: string | null;
  created_at: Fixed<Date>;
  /** First use: from then on the one before it is no longer accepted. */
  used_at: Date | null;
  /** With SUPERSEDED: still accepted until then, if its successor is not used before. */
  superseded_until: Date | null;
  revoked_at: Date | null;
  revocation_reason: string | null;
}

interface Commands {
  id: string;
  device_id: number;
  assignment_id: number;
  /** Null: an order to the device itself, to change its Wi-Fi. */
  component_id: number | null;
  user_id: number;
  action: string;
  args: Json<Record<string, unknown>>;
  seq: number;
  topic: string;
  jws: string;
  created_at: Fixed<Date>;
  expires_at: Date;
  published_at: Date | null;
  status: Generated<CommandStatus>;
  code: string | null;
  detail: string | null;
  verified: boolean | null;
  lease_ends_at: Date | null;
  finished_at: Date | null;
}

interface AuditLog {
  id: Generated<number>;
  at: Fixed<Date>;
  actor_user_id: number | null;
  action: string;
  object_type: string;
  object_id: string;
  detail: Json<Record<string, unknown>>;
  source: string | null;
  chain_seq: number | null;
  chain_mac: Buffer | null;
}

interface SecurityEvents {
  id: Generated<number>;
  at: Fixed<Date>;
  device_id: number | null;
  code: string;
  detail: Json<Record<string, unknown>>;
}

interface Alerts {
  id: Generated<number>;
  at: Fixed<Date>;
  kind: string;
  device_id: number | null;
  detail: Json<Record<string, unknown>>;
  resolved_at: Date | null;
  resolved_by: number | null;
  resolution: string | null;
}

/** Tables of the cloud (DESIGN §8). */
export interface Schema
  extends IdempotencyTables,
    AccountTables,
    DeviceTables,
    TelemetryTables,
    KeysTables,
    AppTables {
  hardware_variants: HardwareVariants;
  devices: Devices;
  device_boots: DeviceBoots;
  assignments: Assignments;
  assignment_secrets: AssignmentSecrets;
  assignment_viewers: AssignmentViewers;
  supported_components: SupportedComponents;
  metrics: Metrics;
  device_pin_configs: DevicePinConfigs;
  attached_components: AttachedComponents;
  component_health: ComponentHealthRows;
  retired_identity_keys: RetiredIdentityKeys;
  claims: Claims;
  claim_attempts: ClaimAttempts;
  challenges: Challenges;
  recovery_tokens: RecoveryTokens;
  recovery_failures: RecoveryFailures;
  certificates: Certificates;
  commands: Commands;
  audit_log: AuditLog;
  security_events: SecurityEvents;
  alerts: Alerts;
}
