import { topics } from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { DeviceDirectory } from '../telemetry/directory.ts';
import { createOrderCheck, orders } from './check-order.ts';
import { checkSigned, signedMessages } from './check-signed.ts';
import { summarize } from './summary.ts';
import type { Checked, Seen } from './types.ts';

type Kind = keyof typeof topics;
type Place = {
  readonly kind: Kind;
  readonly deviceUuid: string;
  /** As the topic names it. */
  readonly userEmail?: string;
};

const speakers: Partial<Record<Kind, Seen['from']>> = {
  componentStatus: 'device',
  otaStatus: 'device',
  commandsStatus: 'device',
  connectionStatus: 'device',
  requestState: 'app',
  operatorTest: 'operator',
};

/** The topic of commands is the general form of those below it: it comes last. */
const kinds = (Object.keys(topics) as Kind[]).toSorted(
  (a, b) => Number(a === 'command') - Number(b === 'command'),
);

function placeOf(topic: string): Place | undefined {
  for (const kind of kinds) {
    const values = topics[kind].parse(topic);
    if (values !== undefined) return { kind, ...values };
  }
  return undefined;
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const LARGEST_SHOWN_BYTES = 65_536;

/**
 * Decodes what went through the broker: whose it is, whether its MAC or signature fits, what it says. It knows the
 * secrets of devices and gives none away; credentials of a Wi-Fi stay sealed.
 */
export function createDecoder(options: {
  readonly directory: Pick<DeviceDirectory, 'load' | 'reload'>;
  /** Of the trust file. */
  readonly commandKeys: { readonly keys: readonly object[] };
  readonly clock: Clock;
}) {
  const { directory, commandKeys, clock } = options;
  const checkOrder = createOrderCheck(commandKeys);

  const check = async (topic: string, payload: Uint8Array, place: Place): Promise<Checked> => {
    const { kind, deviceUuid, userEmail } = place;
    const signed = signedMessages[kind];
    const order = orders[kind];
    if (signed === undefined && order === undefined) return plain(payload);
    let device = await directory.load(deviceUuid);
    if (device === undefined) return { verdict: 'UNKNOWN_DEVICE', detail: 'there is no such device' };
    if (order !== undefined)
      return checkOrder(order, payload, {
        topic,
        deviceUuid,
        assignment: device.assignment?.number,
        now: clock.now(),
      });
    const message = { topic, payload, userEmail };
    const first = checkSigned(device, signed!, message, clock.now());
    if (first.verdict !== 'MAC_MISMATCH' && first.verdict !== 'NO_ASSIGNMENT') return first;
    // Its secret may be newer than what is in memory.
    device = (await directory.reload(device)) ?? device;
    return checkSigned(device, signed!, message, clock.now());
  };

  return async (topic: string, payload: Uint8Array): Promise<Seen> => {
    const place = placeOf(topic);
    const seen = { at: clock.now(), topic, bytes: payload.length };
    if (place === undefined)
      return { ...seen, verdict: 'UNKNOWN_TOPIC', detail: 'no topic of Ares, or a name that is none' };
    const { kind, deviceUuid } = place;
    const checked = await check(topic, payload, place).catch(
      (error: Error): Checked => ({ verdict: 'UNCHECKED', detail: error.message }),
    );
    const body = kind === 'wifiChange' ? withoutCiphertext(checked.body) : checked.body;
    const detail = [checked.detail, body === undefined ? '' : summarize(kind, body)]
      .filter((part) => part !== '')
      .join('; ');
    return {
      ...seen,
      kind,
      from: speakers[kind] ?? 'cloud',
      deviceUuid,
      ...checked,
      ...(body !== undefined && { body }),
      detail,
    };
  };
}
export type Decoder = ReturnType<typeof createDecoder>;

/** Who may send and hear these is for the broker to say; they carry no proof. */
function plain(payload: Uint8Array): Checked {
  if (payload.length === 0) return { verdict: 'NO_PROOF', detail: '' };
  if (payload.length > LARGEST_SHOWN_BYTES) return { verdict: 'TOO_LARGE', detail: '' };
  try {
    return { verdict: 'NO_PROOF', detail: '', body: JSON.parse(decoder.decode(payload)) };
  } catch {
    return { verdict: 'NOT_JSON', detail: '' };
  }
}

function withoutCiphertext(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const { credentials } = body as { credentials?: unknown };
  return { ...body, credentials: `sealed for the device (${String(credentials).length} characters)` };
}
