import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { PresentedCertificate } from './policies.ts';

/** The client certificate of a connection, if TLS found that it chains to our root and is in time. */
export function certificateOf(socket: Socket): PresentedCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject, serialNumber } = socket.getPeerCertificate();
  const commonName = subject?.CN;
  // Several CN attributes arrive as an array: never ours, so never a device.
  if (typeof commonName !== 'string' || serialNumber === undefined) return undefined;
  return { commonName, serial: serialNumber.toLowerCase() };
}
