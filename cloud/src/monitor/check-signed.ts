import {
  describeIssues,
  openSignedMessage,
  type Parsed,
  parseAcknowledgement,
  parseCommandStatus,
  parseConnectionMessage,
  parseTelemetryEnvelope,
  type topics,
} from '@ares/protocol';
import { checkIdentity } from '../telemetry/authenticity.ts';
import type { KnownDevice } from '../telemetry/types.ts';
import type { Checked } from './types.ts';

type Header = Parameters<typeof checkIdentity>[2];

/** What a message with a MAC must say on each topic. `header`: it names its device and hardware. */
export const signedMessages: Partial<
  Record<
    keyof typeof topics,
    { readonly parse?: (input: unknown) => Parsed<{ kid: string }>; readonly header?: true }
  >
> = {
  componentStatus: { parse: parseTelemetryEnvelope, header: true },
  commandsStatus: { parse: parseCommandStatus, header: true },
  connectionStatus: { parse: parseConnectionMessage, header: true },
  otaStatus: {},
  telemetryAck: { parse: parseAcknowledgement },
  operatorTest: {},
};

/** Checks a message as the ingest does, and says more exactly what is wrong. */
export function checkSigned(
  device: KnownDevice,
  { parse, header }: NonNullable<(typeof signedMessages)[keyof typeof signedMessages]>,
  message: { readonly topic: string; readonly payload: Uint8Array; readonly userEmail: string | undefined },
  now: number,
): Checked {
  const keys = device.keys.filter(({ endsAt }) => endsAt === undefined || endsAt > now);
  if (keys.length === 0) return { verdict: 'NO_ASSIGNMENT', detail: 'the device shares no secret now' };
  const { topic, payload, userEmail } = message;
  const opened = openSignedMessage(
    topic,
    payload,
    keys.map(({ mac }) => mac),
  );
  if (!opened.ok) return { verdict: opened.problem, detail: '' };
  const key = keys[opened.key]!;
  const { kid } = key;
  const body = opened.value;
  if (parse === undefined) return { verdict: 'OK', kid, detail: '', body };
  const parsed = parse(body);
  if (!parsed.ok) return { verdict: 'SCHEMA', kid, detail: describeIssues(parsed.issues), body };
  const wrong =
    header === true
      ? checkIdentity(device, key, parsed.value as unknown as Header, userEmail)
      : parsed.value.kid === kid
        ? undefined
        : 'KEY_UNKNOWN';
  if (wrong !== undefined) return { verdict: wrong, kid, detail: `names ${parsed.value.kid}`, body };
  return { verdict: 'OK', kid, detail: '', body: parsed.value };
}
