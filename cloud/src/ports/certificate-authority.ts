/**
 * Who signs the certificates of devices, apps, servers and the cloud's own services. Embedded: a root and an
 * intermediate on disk; production: Vault PKI. What a certificate may say is decided here and never by a CSR.
 */

export interface CertificateAuthority {
  /** What others trust and send; constant for the life of the authority. */
  readonly caCertificates: CaCertificates;

  /**
   * Checks a CSR without signing anything, so that a row keyed by its public key can be committed first.
   * @throws {CertificateAuthorityError} CSR_MALFORMED, CSR_SIGNATURE_INVALID, KEY_REFUSED
   */
  readCsr(csr: Uint8Array): Promise<CheckedCsr>;

  /**
   * Signs a device's or an app instance's key: CN = `commonName`, no SAN, CA:FALSE, digitalSignature, clientAuth.
   * Of the CSR only the public key is used, after its self-signature was verified.
   * @throws {CertificateAuthorityError} CSR_MALFORMED, CSR_SIGNATURE_INVALID, KEY_REFUSED, INVALID_NAME,
   * INVALID_SERIAL, INVALID_VALIDITY, UNAVAILABLE
   */
  signDevice(request: DeviceCertificateRequest): Promise<IssuedCertificate>;

  /** A key and certificate for a TLS server of the cloud (device listener, broker): serverAuth, SAN = `names`. */
  signServer(request: ServerCertificateRequest): Promise<IssuedKeyAndCertificate>;

  /**
   * A key and certificate for an MQTT or HTTP client inside the cloud: clientAuth, CN = `commonName`, which
   * begins with `ares-` so that it can never be taken for a device's UUID.
   */
  signService(request: ServiceCertificateRequest): Promise<IssuedKeyAndCertificate>;

  /**
   * One signed list per CA, as PEM with the label `X509 CRL`, in an array because Node's TLS reads only the
   * first list of a joined text; both are needed, a chain is checked whole. Valid for 72 h, so it must be asked
   * for again long before. `revoked` names leaves only; leave out those that have expired.
   */
  crls(revoked: readonly RevokedCertificate[]): Promise<readonly string[]>;
}

/** The two CA certificates, PEM. */
export type CaCertificates = {
  /** The only certificate in a trust file and in the `ca` of a TLS listener. */
  readonly root: string;
  /** Sent along by servers and devices, after their own certificate. */
  readonly intermediate: string;
};

export type CheckedCsr = {
  /** SubjectPublicKeyInfo, DER, 91 bytes: for one key always the same bytes. */
  readonly publicKeySpki: Uint8Array;
};

export type DeviceCertificateRequest = {
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
  /** Lower-case UUID. */
  readonly commonName: string;
  readonly validityMs: number;
  /** Lower-case hex, even length, 16 to 40 digits, first byte 01 to 7f; drawn at random when absent. */
  readonly serial?: string;
};

export type ServerCertificateRequest = {
  /** Host names and IP addresses, at least one; the first is the CN when it fits. */
  readonly names: readonly string[];
  /** Default: 30 days. */
  readonly validityMs?: number;
};

export type ServiceCertificateRequest = {
  /** `ares-` and a lower-case word, for instance `ares-ingest`. */
  readonly commonName: string;
  /** Default: 30 days. */
  readonly validityMs?: number;
};

export type IssuedCertificate = {
  /** Leaf, then intermediate. */
  readonly chainPem: string;
  readonly leafDer: Uint8Array;
  /** Lower-case hex of even length, as it stands in `revoked`. Node's own `serialNumber` is upper-case. */
  readonly serial: string;
  /** Five minutes before the signing, for clocks that are a little behind. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeySpki: Uint8Array;
};

export type IssuedKeyAndCertificate = IssuedCertificate & {
  /** PKCS#8 PEM of a key made for this certificate; the authority keeps no copy. */
  readonly keyPem: string;
};

export type RevokedCertificate = {
  readonly serial: string;
  readonly at: Date;
  readonly reason?: RevocationReason;
};

export type RevocationReason =
  | 'unspecified'
  | 'keyCompromise'
  | 'superseded'
  | 'cessationOfOperation'
  | 'privilegeWithdrawn';

export type CertificateAuthorityErrorCode =
  /** Not a PKCS#10 request in DER. */
  | 'CSR_MALFORMED'
  /** The sender does not hold the private key. */
  | 'CSR_SIGNATURE_INVALID'
  /** Not P-256, or a key that the world knows. */
  | 'KEY_REFUSED'
  | 'INVALID_NAME'
  | 'INVALID_SERIAL'
  /** Zero, negative, or beyond the life of the authority itself. */
  | 'INVALID_VALIDITY'
  /** The authority's own files do not fit together; nothing is signed and nothing overwritten. */
  | 'AUTHORITY_DAMAGED'
  /** The authority cannot sign now; the cause says why. */
  | 'UNAVAILABLE';

/** A refusal of the certificate authority. The first three codes are the sender's fault (400). */
export class CertificateAuthorityError extends Error {
  override readonly name = 'CertificateAuthorityError';
  readonly code: CertificateAuthorityErrorCode;

  constructor(code: CertificateAuthorityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
