import type { CredentialsRequest } from '@ares/protocol/http/device';
import type { CertificateStatus as StoredStatus } from '../database/schema.ts';
import type { CertificateStatus, CurrentCertificate } from '../pki/certificate-status.ts';
import type { IdentityKey } from '../pki/public-keys.ts';
import type { CertificateAuthority } from '../ports/certificate-authority.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudDatabase } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { RandomBytes } from '../ports/random.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import type { SecurityEvent } from '../security/security-events.ts';
import type { Challenges } from './challenges.ts';
import type { SigningQueue } from './signing-queue.ts';

export interface CredentialsConfig {
  /** Every `host:port` under which devices reach this cloud; a signature for another host is refused. */
  readonly apiHosts: readonly string[];
  /** Where devices find the broker. */
  readonly mqtt: { readonly host: string; readonly port: number };
  /** Life of a certificate. */
  readonly certificateMs: number;
  /** How long a certificate is still accepted beside a newer one that was never used. */
  readonly overlapMs: number;
  /** New certificates that one device may ask for in an hour. */
  readonly certificatesPerHour: number;
}

export const credentialsDefaults = {
  certificateMs: 86_400_000,
  overlapMs: 300_000,
  certificatesPerHour: 60,
} as const satisfies Partial<CredentialsConfig>;

export interface CredentialsPorts {
  readonly database: CloudDatabase;
  readonly authority: Pick<CertificateAuthority, 'readCsr'>;
  readonly signing: SigningQueue;
  readonly challenges: Challenges;
  readonly secrets: Pick<SecretStore, 'seal' | 'open'>;
  readonly certificates: Pick<CertificateStatus, 'current'>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** The device certificate that the connection presented. */
export interface PeerCertificate {
  readonly deviceUuid: string;
  readonly certificateSerial: string;
}

/** A request whose signature and CSR are good; who sent it is not yet decided. */
export interface CheckedRequest {
  readonly request: CredentialsRequest;
  readonly identityKey: IdentityKey;
  readonly csr: Buffer;
  /** Hex SHA-256 of the CSR's public key. */
  readonly csrKeyHash: string;
  /** Names the request by its grant, nonce and keys: one that is sent again has the same. */
  readonly requestHash: string;
  /** The certificate of the connection, if it is accepted. */
  readonly peer: CurrentCertificate | undefined;
}

export interface DeviceRow {
  readonly id: number;
  readonly device_uuid: string;
  readonly cpu_serial: string;
  readonly identity_key_hash: string | null;
  readonly first_use_until: Date | null;
  readonly clone_seen_at: Date | null;
  readonly life_cycle: 'REGISTERED' | 'ACTIVE' | 'RECOVERY_NEEDED' | 'QUARANTINED' | 'BLOCKED' | 'RELEASED';
}

export interface AssignmentRow {
  readonly id: number;
  readonly number: number;
  readonly user_id: number;
}

export interface CertificateRow {
  readonly id: number;
  readonly device_id: number;
  readonly assignment_id: number;
  readonly status: StoredStatus;
  readonly not_after: Date | null;
  readonly request_hash: string;
  readonly claim_id: string | null;
}

/** Security events and alerts of a refused request: written after its transaction was rolled back. */
export interface Finding {
  readonly event: SecurityEvent;
  readonly alert?: boolean;
  /** Another board showed the device's identity key. */
  readonly clone?: boolean;
  /** Counts against the limit on recovery tokens. */
  readonly wrongToken?: boolean;
}
