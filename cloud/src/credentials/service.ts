import { ProblemError } from '@ares/protocol';
import type { CredentialsAnswer, CredentialsRequest } from '@ares/protocol/http/device';
import { type Begun, begin } from './begin.ts';
import { checkRequest } from './check-request.ts';
import { keepFindings } from './findings.ts';
import { createIssuance } from './issuance.ts';
import type { CredentialsConfig, CredentialsPorts, Finding, PeerCertificate } from './types.ts';

/**
 * `POST /api/devices/credentials`: certificate and secret for a device, in three steps that may each be repeated.
 * Whatever is lost, killed or asked twice: for one key of a CSR there is one certificate, and of one device one
 * ACTIVE certificate. The one before it is accepted for five more minutes, or until the new one is first used:
 * the answer that carries the new one may be lost.
 */
export interface CredentialsService {
  /** @throws {ProblemError} as the contract lists for `credentials` */
  request(request: CredentialsRequest, peer: PeerCertificate | undefined): Promise<CredentialsAnswer>;
}

export function createCredentialsService(options: {
  readonly ports: CredentialsPorts;
  readonly config: CredentialsConfig;
  readonly answerWithinMs?: number;
}): CredentialsService {
  const { ports, config } = options;
  const { database, clock } = ports;
  const issuance = createIssuance(options);

  return {
    async request(request, peer) {
      const { apiHosts } = config;
      // Asked before the transaction: inside, a second connection of the pool could be waited for in vain.
      const current = peer && (await ports.certificates.current(peer.certificateSerial));
      const checked = await checkRequest(request, { authority: ports.authority, apiHosts, peer: current });
      const nowMs = clock.now();
      const findings: Finding[] = [];
      const find = (finding: Finding) => void findings.push(finding);
      let begun: Begun;
      try {
        begun = await database.db
          .transaction()
          .execute((trx) => begin(trx, checked, { ports, config, nowMs, find }));
      } catch (error) {
        throw asKeyInUse(error);
      } finally {
        await keepFindings(database, findings, nowMs);
      }
      if ('refused' in begun) throw begun.refused;
      return issuance.complete(begun.certificateId, checked.csr);
    },
  };
}

/** What two devices did in the same moment is decided by the unique constraints. */
function asKeyInUse(error: unknown): unknown {
  const { code, constraint } = error as { code?: string; constraint?: string };
  const ours = [
    'certificates_spki_hash_key',
    'devices_identity_key_hash_key',
    'devices_identity_key_retired',
  ];
  return code === '23505' && constraint !== undefined && ours.includes(constraint)
    ? new ProblemError('KEY_IN_USE', 'This key is known already: make a new one.', { cause: error })
    : error;
}
