import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { topics } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { SecurityEventCode } from '../ports/security-reporter.ts';
import { clientIdFits, type Peer, peerOf } from './aedes-rights.ts';

/** What the cloud's tables say of a device certificate: the CRL may be minutes behind. */
export type CertificateStatusLookup = (serial: string) => Promise<
  | {
      /** Name in the certificate. */
      readonly deviceUuid: string;
      readonly status: string;
      /** It is no device but an app, of the user with this e-mail. */
      readonly appOf?: string;
    }
  | undefined
>;

/** Return codes of CONNACK (MQTT 3.1.1 §3.2.2.3). */
export const CONNACK = { identifierRejected: 2, unavailable: 3, notAuthorized: 5 } as const;

/** Why a connection is not let in. `code` names the security event, if it is one. */
export class ConnectionRefused extends Error {
  override readonly name = 'ConnectionRefused';
  readonly returnCode: (typeof CONNACK)[keyof typeof CONNACK];
  readonly code: SecurityEventCode | undefined;
  readonly deviceUuid: string | undefined;

  constructor(
    returnCode: (typeof CONNACK)[keyof typeof CONNACK],
    message: string,
    options: { code?: SecurityEventCode; deviceUuid?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.returnCode = returnCode;
    this.code = options.code;
    this.deviceUuid = options.deviceUuid;
  }
}

export interface Admitted {
  readonly peer: Peer;
  /** Lower-case hex. */
  readonly certificateSerial: string;
  readonly certificateEndsAt: number;
}

/** What the CONNECT packet asks for. */
export interface ConnectRequest {
  readonly clientId: string;
  readonly keepalive: number;
  readonly will:
    | { readonly topic: string; readonly payload: Uint8Array; readonly retain: boolean }
    | undefined;
}

const LONGEST_KEEPALIVE_SECONDS = 600;
const LARGEST_WILL_BYTES = 4_096;

/**
 * Decides by the certificate who connects. TLS itself lets everyone in, so that a refused device gets a CONNACK
 * that it can tell from a broken network.
 * @throws {ConnectionRefused}
 */
export function identify(socket: TLSSocket, request: ConnectRequest, clock: Clock): Admitted {
  const certificate = socket.getPeerCertificate() as Partial<DetailedPeerCertificate>;
  const peer = peerOf(certificate.subject?.CN);
  const deviceUuid = peer?.kind === 'device' ? peer.deviceUuid : undefined;
  const refuse = (message: string, code: SecurityEventCode) =>
    new ConnectionRefused(CONNACK.notAuthorized, message, {
      code,
      // An unverified certificate can carry any name: it must not stain that device.
      ...(socket.authorized && deviceUuid !== undefined && { deviceUuid }),
    });

  if (!socket.authorized)
    throw refuse(`certificate refused: ${String(socket.authorizationError)}`, 'CERTIFICATE_REFUSED');
  if (peer === undefined) throw refuse('the certificate names no peer of Ares', 'CERTIFICATE_REFUSED');
  const endsAt = Date.parse(certificate.valid_to ?? '');
  // A resumed TLS session is not checked again by TLS.
  if (!(endsAt > clock.now())) throw refuse('certificate expired', 'CERTIFICATE_REFUSED');
  if (!clientIdFits(peer, request.clientId))
    throw new ConnectionRefused(
      CONNACK.identifierRejected,
      'the client id is not the name in the certificate',
      {
        code: 'CLIENT_ID_MISMATCH',
        ...(deviceUuid !== undefined && { deviceUuid }),
      },
    );
  if (deviceUuid !== undefined) {
    if (!(request.keepalive > 0 && request.keepalive <= LONGEST_KEEPALIVE_SECONDS))
      throw new ConnectionRefused(CONNACK.notAuthorized, 'keep-alive must be 1 to 600 seconds');
    checkWill(request.will, deviceUuid, refuse);
  }
  const serial = (certificate.serialNumber ?? '').toLowerCase();
  return { peer, certificateSerial: serial, certificateEndsAt: endsAt };
}

function checkWill(
  will: ConnectRequest['will'],
  deviceUuid: string,
  refuse: (message: string, code: SecurityEventCode) => ConnectionRefused,
): void {
  if (will === undefined) return;
  const fits =
    will.topic === topics.connectionStatus.build({ deviceUuid }) &&
    !will.retain &&
    will.payload.length <= LARGEST_WILL_BYTES;
  if (!fits) throw refuse('the will must be a small message on the own connection topic', 'WILL_REFUSED');
}

/**
 * Who it is by the tables.
 * @throws {ConnectionRefused} when they do not say that this certificate is the device's or app's active one
 */
export async function checkStatus(admitted: Admitted, lookup: CertificateStatusLookup): Promise<Admitted> {
  const { peer, certificateSerial } = admitted;
  if (peer.kind !== 'device') return admitted;
  let row: Awaited<ReturnType<CertificateStatusLookup>>;
  try {
    row = await lookup(certificateSerial);
  } catch (cause) {
    throw new ConnectionRefused(CONNACK.unavailable, 'the certificate cannot be looked up now', { cause });
  }
  if (row?.status === 'ACTIVE' && row.deviceUuid === peer.deviceUuid) {
    if (row.appOf === undefined) return admitted;
    return { ...admitted, peer: { kind: 'app', appUuid: peer.deviceUuid, userEmail: row.appOf } };
  }
  throw new ConnectionRefused(CONNACK.notAuthorized, `certificate is ${row?.status ?? 'not known'}`, {
    code: 'CERTIFICATE_REFUSED',
    deviceUuid: peer.deviceUuid,
  });
}
