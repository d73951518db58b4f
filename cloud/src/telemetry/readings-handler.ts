import {
  MAX_READINGS_PER_MESSAGE,
  type Reading,
  type ReadingProblem,
  SENT_AT_TOLERANCE_MS,
  type TelemetryEnvelope,
} from '@ares/protocol';
import type { Clock } from '../ports/clock.ts';
import type { SecurityEventCode, SecurityReporter } from '../ports/security-reporter.ts';
import type { HealthValue, MetricValue } from '../ports/state-store.ts';
import type { Acknowledge } from './acknowledge.ts';
import { admit, type ReadingRow, type Refusal } from './admission.ts';
import { checkIdentity, verifyMessage } from './authenticity.ts';
import type { BatchWriter, Unstorable } from './batch-writer.ts';
import type { Boots } from './boots.ts';
import type { DeviceDirectory } from './directory.ts';
import { parseEnvelopeFast, parseReadingFast } from './fast-parse.ts';
import type { InboxHandlers } from './inbox.ts';
import { type QuarantineReason, quarantined, type ReadingQuarantine } from './quarantine.ts';
import type { DeviceKey, KnownBoot, KnownDevice } from './types.ts';

/** What is stored goes on to the live state. */
export interface StoredReadings {
  readonly device: KnownDevice;
  readonly values: readonly MetricValue[];
  readonly health: readonly HealthValue[];
  readonly at: number;
}

export interface IngestCounters {
  received: number;
  stored: number;
  rejected: number;
  shed: number;
  notAuthentic: number;
}

interface Message {
  readonly device: KnownDevice;
  readonly key: DeviceKey;
  readonly envelope: TelemetryEnvelope;
  readonly componentType: string;
  readonly now: number;
}

const SEVEN_DAYS_MS = 7 * 86_400_000;

/** Judges messages of readings: authentic or silence, then each reading by itself, then the database. */
export function createReadingsHandler(options: {
  readonly directory: DeviceDirectory;
  readonly boots: Boots;
  readonly writer: BatchWriter;
  readonly acknowledge: Acknowledge;
  readonly quarantine: Pick<ReadingQuarantine, 'keep'>;
  readonly security: SecurityReporter;
  readonly clock: Clock;
  readonly stored: (readings: StoredReadings) => void;
  readonly config: { readonly rowsPerDevice: number; readonly rawWindowMs?: number };
}): { readonly handle: InboxHandlers['readings']; readonly counters: IngestCounters } {
  const { directory, boots, writer, acknowledge, quarantine, security, clock, stored, config } = options;
  const rawWindowMs = config.rawWindowMs ?? SEVEN_DAYS_MS;
  const counters: IngestCounters = { received: 0, stored: 0, rejected: 0, shed: 0, notAuthentic: 0 };
  const waitingRows = new Map<number, number>();

  const refuseAll = (message: Message, code: ReadingProblem, final: boolean): void => {
    const rejected = seqsOf(message.envelope.readings).map((seq) => ({ seq, code, final }));
    answer(message, [], rejected);
  };

  const answer = (message: Message, seqs: readonly number[], rejected: readonly Refusal[]): void => {
    counters.stored += seqs.length;
    counters.rejected += rejected.length;
    const { device, key, envelope } = message;
    acknowledge({
      deviceUuid: device.deviceUuid,
      key,
      bootId: envelope.bootId,
      stored: seqs,
      rejected,
    });
  };

  /** `undefined` when it was all done at once. */
  const judge = (message: Message): Promise<void> | undefined => {
    const { device, envelope, now } = message;
    if (device.lifeCycle === 'QUARANTINED') {
      refuseAll(message, 'QUARANTINED', false);
      return undefined;
    }
    if (envelope.sentAt !== null && Math.abs(envelope.sentAt - now) > SENT_AT_TOLERANCE_MS) {
      refuseAll(message, 'CLOCK', false);
      return undefined;
    }
    const { readings, rejected } = parseReadings(envelope.readings);
    const boot = device.boots.get(envelope.bootId);
    const isPlaced = boot?.anchorMs !== undefined || readings.every(({ uptimeMs }) => uptimeMs === undefined);
    const isKnown = readings.every(({ componentId }) => device.components.has(componentId));
    if (boot === undefined || !isPlaced || !isKnown) return prepare(message, readings, rejected);
    write(message, boot, readings, rejected);
    return undefined;
  };

  /** Fetches what is missing: a new boot, its place in time, a component that was attached a moment ago. */
  const prepare = async (message: Message, readings: Reading[], rejected: Refusal[]): Promise<void> => {
    let { device } = message;
    const { bootId, bootCount, uptimeMs } = message.envelope;
    if (!readings.every(({ componentId }) => device.components.has(componentId)))
      device = (await directory.reload(device)) ?? device;
    // Given away meanwhile: the message is of nobody any more.
    if (device.assignment?.id !== message.device.assignment?.id) return;
    const boot = await boots.ensure(device, bootId, bootCount);
    if (boot === undefined) {
      refuseAll(message, 'TOO_MANY_BOOTS', false);
      return;
    }
    const isUnplaced =
      boot.anchorMs === undefined && readings.some((reading) => reading.uptimeMs !== undefined);
    if (isUnplaced) await boots.placeEarlier(device, boot, uptimeMs);
    write({ ...message, device }, boot, readings, rejected);
  };

  const write = (message: Message, boot: KnownBoot, readings: Reading[], rejected: Refusal[]): void => {
    const { device, componentType, envelope, now } = message;
    const { deviceId } = device;
    const setAside = ({ bootId }: KnownBoot, reading: Reading, reason: QuarantineReason) =>
      quarantine.keep(quarantined(reading, { deviceId, bootId, reason }));
    const rows: ReadingRow[] = [];
    const values: MetricValue[] = [];
    for (const reading of readings) {
      const admission = admit(reading, { device, boot, componentType, now, rawWindowMs });
      if ('refusal' in admission) {
        rejected.push(admission.refusal);
        const { code } = admission.refusal;
        if (admission.refusal.final && (code === 'CLOCK' || code === 'TOO_OLD'))
          setAside(boot, reading, code);
        continue;
      }
      rows.push(admission.row);
      const { componentId, metric, seq, value } = reading;
      values.push({
        componentId,
        metric,
        value,
        measuredAt: admission.row.time,
        bootCount: boot.bootCount,
        seq,
      });
    }
    const health = (envelope.health ?? [])
      .filter(({ componentId }) => device.components.get(componentId)?.componentType === componentType)
      .map((one) => ({ ...one, bootCount: boot.bootCount, uptimeMs: envelope.uptimeMs }));
    if (rows.length === 0) {
      stored({ device, values, health, at: now });
      answer(message, [], rejected);
      return;
    }
    enqueue(message, rows, rejected, (unstorable) => {
      for (const [seq, why] of unstorable)
        setAside(boot, readings.find((reading) => reading.seq === seq)!, why);
      stored({
        device,
        values: unstorable.size === 0 ? values : values.filter(({ seq }) => !unstorable.has(seq)),
        health,
        at: now,
      });
    });
  };

  const enqueue = (
    message: Message,
    rows: readonly ReadingRow[],
    rejected: readonly Refusal[],
    done: (unstorable: ReadonlyMap<number, Unstorable>) => void,
  ): void => {
    const { deviceId } = message.device;
    const waiting = waitingRows.get(deviceId) ?? 0;
    const settled = (unstorable: ReadonlyMap<number, Unstorable>) => {
      const left = (waitingRows.get(deviceId) ?? 0) - rows.length;
      if (left > 0) waitingRows.set(deviceId, left);
      else waitingRows.delete(deviceId);
      const seqs = rows.flatMap(({ seq }) => (unstorable.has(seq) ? [] : [seq]));
      const refused = [...unstorable.keys()].map(
        (seq): Refusal => ({ seq, code: 'NOT_STORABLE', final: true }),
      );
      answer(message, seqs, [...rejected, ...refused]);
      done(unstorable);
    };
    // One device that sends more than its share finds no room before the others do.
    const hasRoom = waiting === 0 || waiting + rows.length <= config.rowsPerDevice;
    if (!hasRoom || !writer.add({ rows, settled })) {
      counters.shed += rows.length;
      return;
    }
    waitingRows.set(deviceId, waiting + rows.length);
  };

  const handle: InboxHandlers['readings'] = ({ device, topic, payload }, { userEmail, componentType }) => {
    const now = clock.now();
    const verified = verifyMessage(device, topic, payload, now);
    const refuse = (code: SecurityEventCode): undefined => {
      counters.notAuthentic += 1;
      security.report({ code, deviceUuid: device.deviceUuid });
      return undefined;
    };
    if (!verified.ok) return refuse(verified.code);
    const { key } = verified;
    const parsed = parseEnvelopeFast(verified.value);
    if (!parsed.ok) {
      refuseUnreadable(device, key, verified.value, acknowledge);
      return undefined;
    }
    const envelope = parsed.value;
    const stranger = checkIdentity(device, key, envelope, userEmail);
    if (stranger !== undefined) return refuse(stranger);
    counters.received += envelope.readings.length;
    return judge({ device, key, envelope, componentType, now });
  };
  return { handle, counters };
}

/** Each reading by itself: a bad one is refused by its `seq`, if it has one, and harms no neighbour. */
function parseReadings(input: readonly unknown[]): { readings: Reading[]; rejected: Refusal[] } {
  const readings: Reading[] = [];
  const rejected: Refusal[] = [];
  const seqs = new Set<number>();
  for (const one of input) {
    const parsed = parseReadingFast(one);
    const seq = parsed.ok ? parsed.value.seq : seqOf(one);
    // What has no number, or the number of a neighbour, cannot be named in an answer.
    if (seq === undefined || seqs.has(seq)) continue;
    seqs.add(seq);
    if (parsed.ok) readings.push(parsed.value);
    else rejected.push({ seq, code: 'SCHEMA', final: true });
  }
  return { readings, rejected };
}

/** An authentic message with a broken envelope: what can be named in it is refused for good. */
function refuseUnreadable(
  device: KnownDevice,
  key: DeviceKey,
  value: unknown,
  acknowledge: Acknowledge,
): void {
  const { bootId, readings } = (value ?? {}) as { bootId?: unknown; readings?: unknown };
  if (typeof bootId !== 'string' || !/^[0-9a-f]{32}$/.test(bootId) || !Array.isArray(readings)) return;
  const rejected = seqsOf(readings.slice(0, MAX_READINGS_PER_MESSAGE)).map(
    (seq): Refusal => ({ seq, code: 'SCHEMA', final: true }),
  );
  acknowledge({ deviceUuid: device.deviceUuid, key, bootId, rejected });
}

const seqsOf = (readings: readonly unknown[]): number[] => [
  ...new Set(readings.flatMap((one) => seqOf(one) ?? [])),
];

function seqOf(reading: unknown): number | undefined {
  const seq = (reading as { seq?: unknown } | null)?.seq;
  return Number.isSafeInteger(seq) && (seq as number) > 0 ? (seq as number) : undefined;
}
