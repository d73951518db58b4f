import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { Evidence, LinkName } from '../lifecycle/cause-chain.ts';

const TIMEOUT_MS = 8_000;

/** Where the cloud is, and whom the device believes there. Nothing of it is secret. */
export interface ProbeTarget {
  readonly apiUrl: string;
  readonly broker: { readonly host: string; readonly port: number } | undefined;
  readonly caCertificates: readonly string[];
  now(): number;
  /** Whether the operating system keeps the clock set. */
  readonly synchronised: boolean;
}

/** Asks name servers and cloud, now. The device shows no certificate of its own and sends nothing else. */
export async function probeCloud(target: ProbeTarget): Promise<{ [L in LinkName]?: Evidence }> {
  const api = new URL(target.apiUrl);
  const apiPlace = {
    host: api.hostname.replaceAll(/^\[|\]$/g, ''),
    port: Number(api.port === '' ? 443 : api.port),
  };
  const places = [apiPlace, ...(target.broker === undefined ? [] : [target.broker])];
  const dns = await lookUp(places.map(({ host }) => host));
  const clock: Evidence = target.synchronised
    ? { state: 'ok', detail: `It is set from the network: ${new Date(target.now()).toISOString()}.` }
    : {
        state: 'broken',
        detail: `It is not set from the network; it says ${new Date(target.now()).toISOString()}.`,
      };
  if (dns.state === 'broken') return { dns, clock };
  const tls = await shakeHands(apiPlace, target);
  const broker = target.broker === undefined ? undefined : await shakeHands(target.broker, target);
  return {
    dns,
    clock: tls.clock ?? broker?.clock ?? clock,
    tls: tls.evidence,
    ...(broker !== undefined && { broker: broker.evidence }),
  };
}

async function lookUp(hosts: readonly string[]): Promise<Evidence> {
  try {
    const found = await Promise.all(
      [...new Set(hosts)].map(async (host) => `${host} is ${(await lookup(host)).address}`),
    );
    return { state: 'ok', detail: `${found.join(', ')}.` };
  } catch (cause) {
    return { state: 'broken', detail: `A name of the cloud cannot be found (${textOf(cause)}).` };
  }
}

interface Outcome {
  readonly evidence: Evidence;
  /** When the certificate says that the clock is wrong. */
  readonly clock?: Evidence;
}

function shakeHands(
  place: { readonly host: string; readonly port: number },
  target: ProbeTarget,
): Promise<Outcome> {
  const name = `${place.host}:${place.port}`;
  return new Promise((resolve) => {
    const socket = connect({
      ...place,
      ...(isIP(place.host) === 0 && { servername: place.host }),
      ca: [...target.caCertificates],
      // Looked at below: a certificate that is refused says why.
      rejectUnauthorized: false,
    });
    const end = (outcome: Outcome) => {
      socket.destroy();
      resolve(outcome);
    };
    const broken = (detail: string) => end({ evidence: { state: 'broken', detail } });
    socket.setTimeout(TIMEOUT_MS, () => broken(`${name} does not answer.`));
    socket.once('error', (cause) => broken(`${name} cannot be reached (${textOf(cause)}).`));
    socket.once('secureConnect', () => end(judge(name, socket, target)));
  });
}

function judge(name: string, socket: TLSSocket, target: ProbeTarget): Outcome {
  const peer = socket.getPeerCertificate() as PeerCertificate;
  const [from, until] = [Date.parse(peer.valid_from), Date.parse(peer.valid_to)];
  if (socket.authorized)
    return {
      evidence: {
        state: 'ok',
        detail: `${name} has a trusted certificate until ${new Date(until).toISOString()}.`,
      },
    };
  const why = String(socket.authorizationError);
  const evidence: Evidence = { state: 'broken', detail: `${name}: its certificate is not trusted (${why}).` };
  const now = target.now();
  if (now >= from && now <= until) return { evidence };
  const detail = `It says ${new Date(now).toISOString()}, but ${name} has a certificate from ${new Date(from).toISOString()} until ${new Date(until).toISOString()}.`;
  return { evidence, clock: { state: 'broken', detail } };
}

function textOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}
