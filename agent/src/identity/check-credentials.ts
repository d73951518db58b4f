import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Credentials, Trust } from './types.ts';

/** Why stored credentials cannot be used. `EXPIRED` ones are sound otherwise and are replaced by grant `identity`. */
type CredentialsFault = 'UNREADABLE' | 'KEY_MISMATCH' | 'WRONG_DEVICE' | 'UNTRUSTED_CHAIN' | 'EXPIRED';

export interface CredentialsProblem {
  readonly fault: CredentialsFault;
  readonly detail: string;
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Checks key and certificate against each other and both against this device and its trust file.
 *
 * @param now epoch milliseconds, or undefined when the clock cannot be trusted: expiry is then left to the server
 */
export function checkCredentials(
  credentials: Pick<Credentials, 'certificateChain' | 'privateKeyPem'>,
  context: { readonly deviceUuid: string; readonly trust: Trust; readonly now: number | undefined },
): CredentialsProblem | undefined {
  try {
    return check(credentials, context);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { fault: 'UNREADABLE', detail: `key or certificate cannot be read (${reason})` };
  }
}

function check(
  credentials: Pick<Credentials, 'certificateChain' | 'privateKeyPem'>,
  context: { readonly deviceUuid: string; readonly trust: Trust; readonly now: number | undefined },
): CredentialsProblem | undefined {
  const [leaf, ...issuers] = (credentials.certificateChain.match(CERTIFICATES) ?? []).map(
    (pem) => new X509Certificate(pem),
  );
  if (leaf === undefined) return { fault: 'UNREADABLE', detail: 'there is no certificate' };
  if (!leaf.checkPrivateKey(createPrivateKey(credentials.privateKeyPem))) {
    return { fault: 'KEY_MISMATCH', detail: 'the private key does not belong to the certificate' };
  }
  if (!leaf.subject.split('\n').includes(`CN=${context.deviceUuid}`)) {
    return { fault: 'WRONG_DEVICE', detail: 'the certificate names another device' };
  }
  if (!chains(leaf, issuers, context.trust)) {
    return {
      fault: 'UNTRUSTED_CHAIN',
      detail: 'the certificate does not come from an authority of the trust file',
    };
  }
  if (context.now !== undefined && context.now >= leaf.validToDate.getTime()) {
    return { fault: 'EXPIRED', detail: `the certificate ended at ${leaf.validToDate.toISOString()}` };
  }
  return undefined;
}

function chains(leaf: X509Certificate, issuers: readonly X509Certificate[], trust: Trust): boolean {
  const anchors = trust.caCertificates.map((pem) => new X509Certificate(pem));
  const issued = (child: X509Certificate, parent: X509Certificate) =>
    parent.ca && child.checkIssued(parent) && child.verify(parent.publicKey);
  let current = leaf;
  for (const issuer of [...issuers, undefined]) {
    if (anchors.some((anchor) => issued(current, anchor))) return true;
    if (issuer === undefined || !issued(current, issuer)) return false;
    current = issuer;
  }
  return false;
}
