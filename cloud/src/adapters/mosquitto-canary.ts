import { once } from 'node:events';
import { connect } from 'node:tls';

/** What a listener did with a certificate. */
export type CanaryFate =
  /** It answered, so TLS let the certificate in. */
  | 'accepted'
  /** It refused the certificate by a TLS alert. */
  | 'refused'
  /** It could not be asked. */
  | 'away';

export interface CanaryTarget {
  readonly host: string;
  readonly port: number;
  readonly rootPem: string;
}

const WITHIN_MS = 3_000;

/** Offers a certificate to a listener over TLS and MQTT. With TLS 1.3 only an answer shows that it was let in. */
export async function sendCanary(
  target: CanaryTarget,
  canary: { readonly commonName: string; readonly keyPem: string; readonly chainPem: string },
): Promise<CanaryFate> {
  const socket = connect({
    host: target.host,
    port: target.port,
    ca: target.rootPem,
    key: canary.keyPem,
    cert: canary.chainPem,
    minVersion: 'TLSv1.2',
  });
  const signal = AbortSignal.timeout(WITHIN_MS);
  try {
    const answered = once(socket, 'data', { signal });
    answered.catch(() => undefined);
    await once(socket, 'secureConnect', { signal });
    socket.write(connectPacket(canary.commonName));
    await Promise.race([
      answered,
      once(socket, 'close', { signal }).then(() => Promise.reject(new Error('closed without an answer'))),
    ]);
    return 'accepted';
  } catch (error) {
    return /ALERT/.test(String((error as { code?: unknown }).code)) || /alert/.test(String(error))
      ? 'refused'
      : 'away';
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

/** CONNECT of MQTT 3.1.1 (§3.1) with a clean session and ten seconds of keep-alive. */
function connectPacket(clientId: string): Uint8Array {
  const id = Buffer.from(clientId);
  const body = Buffer.concat([
    Buffer.from([0, 4]),
    Buffer.from('MQTT'),
    Buffer.from([4, 0x02, 0, 10, id.length >> 8, id.length & 0xff]),
    id,
  ]);
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}
