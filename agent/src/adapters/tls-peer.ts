import { type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { readLimits } from './x509-limits.ts';

/** RFC 5280 §4.2.1.12. */
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
const LONGEST_CHAIN = 5;
const SMALLEST_RSA = 2_048;
const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1'];

export interface PeerProblem {
  readonly code: 'ERR_TLS_PEER' | 'CERT_NOT_YET_VALID' | 'CERT_HAS_EXPIRED';
  readonly detail: string;
}

/**
 * Why the peer is not the one that is wanted; `undefined` when it is. The path validation of RFC 5280 for what an
 * authority of a trust file issues, and nothing beyond: whatever of a certificate is not understood here, as name
 * constraints or policies, refuses it. That the peer holds the key of its certificate, the handshake has proved.
 *
 * @param leaf with its issuers, as the peer sent them
 * @param expected.at epoch ms at which every certificate must be valid; absent: dates are not looked at
 */
export function peerProblem(
  leaf: X509Certificate | undefined,
  expected: { readonly ca: readonly string[]; readonly host: string; readonly at?: number },
): PeerProblem | undefined {
  const { ca, host, at } = expected;
  if (leaf === undefined) return refused('the server shows no certificate');
  const named = isIP(host) === 0 ? leaf.checkHost(host, { subject: 'never' }) : leaf.checkIP(host);
  if (named === undefined) return refused(`the server's certificate is not for ${host}`);
  // Node gives the extended key usage under this name.
  if (leaf.ca || !(leaf.keyUsage ?? [SERVER_AUTHENTICATION]).includes(SERVER_AUTHENTICATION))
    return refused("the server's certificate is not one of a server");
  const chain = chainOf(
    leaf,
    ca.map((pem) => new X509Certificate(pem)),
  );
  if (chain === undefined)
    return refused("the server's certificate does not come from an authority of the trust file");
  for (const [above, certificate] of chain.entries()) {
    const odd = oddity(certificate, above);
    if (odd !== undefined) return refused(`in the server's chain, ${certificate.subject}: ${odd}`);
  }
  if (at === undefined) return undefined;
  for (const certificate of chain) {
    const { subject, validFromDate, validToDate } = certificate;
    // Written so that a date that is none fails too.
    if (!(at >= validFromDate.getTime()))
      return { code: 'CERT_NOT_YET_VALID', detail: `${subject} is not valid yet` };
    if (!(at <= validToDate.getTime()))
      return { code: 'CERT_HAS_EXPIRED', detail: `${subject} is no longer valid` };
  }
  return undefined;
}

/** From the leaf to an authority of the trust file. */
function chainOf(leaf: X509Certificate, anchors: readonly X509Certificate[]): X509Certificate[] | undefined {
  const chain = [leaf];
  let current = leaf;
  while (chain.length <= LONGEST_CHAIN) {
    const child = current;
    const anchor = anchors.find((one) => isIssuedBy(child, one));
    if (anchor !== undefined) return [...chain, anchor];
    const issuer = current.issuerCertificate;
    if (issuer === undefined || !isIssuedBy(child, issuer)) return undefined;
    chain.push(issuer);
    current = issuer;
  }
  return undefined;
}

/** `checkIssued` also compares names and key identifiers, and asks that the issuer's key may sign certificates. */
function isIssuedBy(child: X509Certificate, parent: X509Certificate): boolean {
  return parent.ca && child.checkIssued(parent) && child.verify(parent.publicKey);
}

/** @param place in the chain: 0 is the leaf, and `place - 1` authorities are below */
function oddity(certificate: X509Certificate, place: number): string | undefined {
  const limits = readLimits(certificate.raw);
  if (limits === undefined) return 'it has parts that are not understood';
  if (place - 1 > limits.pathLength) return 'it may not issue authorities below it';
  if (/sha1|md5/i.test(certificate.signatureAlgorithm ?? 'sha1')) return 'its signature is weak';
  return isStrong(certificate.publicKey) ? undefined : 'its key is weak';
}

function isStrong({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  switch (asymmetricKeyType) {
    case 'ec':
      return CURVES.includes(asymmetricKeyDetails?.namedCurve);
    case 'rsa':
    case 'rsa-pss':
      return (asymmetricKeyDetails?.modulusLength ?? 0) >= SMALLEST_RSA;
    default:
      return asymmetricKeyType === 'ed25519' || asymmetricKeyType === 'ed448';
  }
}

function refused(detail: string): PeerProblem {
  return { code: 'ERR_TLS_PEER', detail };
}
