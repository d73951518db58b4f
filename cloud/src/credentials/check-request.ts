import { ProblemError } from '@ares/protocol';
import { type CredentialsRequest, credentialsSigningInput } from '@ares/protocol/http/device';
import type { CurrentCertificate } from '../pki/certificate-status.ts';
import { readIdentityKey, sha256Hex } from '../pki/public-keys.ts';
import { type CertificateAuthority, CertificateAuthorityError } from '../ports/certificate-authority.ts';
import type { CheckedRequest } from './types.ts';

/**
 * Everything that can be decided about a request without knowing any device: its signature and its CSR.
 * @throws {ProblemError} INVALID_REQUEST, BAD_SIGNATURE, BAD_CSR
 */
export async function checkRequest(
  request: CredentialsRequest,
  context: {
    readonly authority: Pick<CertificateAuthority, 'readCsr'>;
    readonly apiHosts: readonly string[];
    readonly peer: CurrentCertificate | undefined;
  },
): Promise<CheckedRequest> {
  const identityKey = readIdentityKey(Buffer.from(request.identityKey, 'base64url'));
  if (identityKey === undefined) {
    throw new ProblemError(
      'INVALID_REQUEST',
      'identityKey must be the SPKI (DER) of a P-256 key with an uncompressed point.',
    );
  }
  const csr = Buffer.from(request.csr, 'base64url');
  const { grant, deviceUuid, cpuSerial, nonce } = request;
  const bound = boundOf(request);
  const texts = context.apiHosts.map((apiHost) =>
    credentialsSigningInput({ grant, apiHost, deviceUuid, cpuSerial, nonce, bound, csrHash: sha256Hex(csr) }),
  );
  if (!texts.some((text) => identityKey.verifies(text, request.signature))) {
    throw new ProblemError(
      'BAD_SIGNATURE',
      'The identity key did not sign this request: sign ARES-CREDENTIALS-V1 over exactly what is sent, with the host and port that it is sent to.',
    );
  }
  const { publicKeySpki } = await context.authority.readCsr(csr).catch((error: unknown) => {
    throw error instanceof CertificateAuthorityError && error.code !== 'UNAVAILABLE'
      ? new ProblemError('BAD_CSR', error.message, { cause: error })
      : error;
  });
  const csrKeyHash = sha256Hex(publicKeySpki);
  if (csrKeyHash === identityKey.hash) {
    throw new ProblemError(
      'BAD_CSR',
      'The key of the certificate must not be the identity key: make one for it.',
    );
  }
  return {
    request,
    identityKey,
    csr,
    csrKeyHash,
    // Not the CSR's bytes: a device that lost its answer may have made the request anew with the same key.
    requestHash: sha256Hex([grant, deviceUuid, nonce, bound, csrKeyHash, identityKey.hash].join('\n')),
    peer: context.peer,
  };
}

/** What a grant binds its signature to: the claim, the recovery token, or nothing. */
function boundOf(request: CredentialsRequest): string {
  const { grant, claimId, recoveryToken } = request;
  if (grant === 'claim' && claimId !== undefined) return claimId;
  if (grant === 'recovery' && recoveryToken !== undefined) return sha256Hex(recoveryToken);
  if (grant === 'renew' || grant === 'identity') return '-';
  throw new ProblemError(
    'INVALID_REQUEST',
    grant === 'claim' ? 'Grant claim needs a claimId.' : 'Grant recovery needs a recoveryToken.',
  );
}
