import {
  EARLIEST_MEASURED_AT_MS,
  type Reading,
  type ReadingProblem,
  SENT_AT_TOLERANCE_MS,
} from '@ares/protocol';
import type { KnownBoot, KnownDevice } from './types.ts';

/** A reading as a row of integers. */
export interface ReadingRow {
  readonly deviceId: number;
  readonly bootId: number;
  readonly componentId: number;
  readonly metricId: number;
  readonly flags: number;
  readonly seq: number;
  /** Epoch ms. */
  readonly time: number;
  readonly value: number;
}

/** `telemetry_data.flags`: the cloud worked out the time. */
export const FLAG_TIME_ESTIMATED = 1;
/** The device finds the value implausible. */
export const FLAG_SUSPECT = 2;

export interface Refusal {
  readonly seq: number;
  readonly code: ReadingProblem;
  /** Sending it again cannot help. */
  readonly final: boolean;
}

export type Admission = { readonly row: ReadingRow } | { readonly refusal: Refusal };

export interface AdmissionContext {
  readonly device: KnownDevice;
  readonly boot: KnownBoot;
  /** Of the topic: every reading of a message is of one type. */
  readonly componentType: string;
  /** Epoch ms at arrival. */
  readonly now: number;
  /** Older rows are no longer kept raw. */
  readonly rawWindowMs: number;
}

/** Judges one reading whose message is authentic. Nothing here depends on its neighbours. */
export function admit(reading: Reading, context: AdmissionContext): Admission {
  const { device, boot, componentType, now, rawWindowMs } = context;
  const { seq } = reading;
  const refuse = (code: ReadingProblem, final = true): Admission => ({ refusal: { seq, code, final } });

  const estimated = reading.measuredAt === undefined;
  // Not placed yet: the birth of this boot, or of one after it, is still to come.
  if (estimated && boot.anchorMs === undefined) return refuse('CLOCK', false);
  const time = reading.measuredAt ?? (boot.anchorMs ?? 0) + (reading.uptimeMs ?? 0);
  if (time < EARLIEST_MEASURED_AT_MS || time > now + SENT_AT_TOLERANCE_MS) return refuse('CLOCK');
  if (time < now - rawWindowMs) return refuse('TOO_OLD');

  const component = device.components.get(reading.componentId);
  if (component?.componentType !== componentType || !component.allowed) return refuse('NOT_ATTACHED');
  // The device's clock may be a little behind; it cannot have loaded the component before it was attached.
  if (time < component.attachedAt - SENT_AT_TOLERANCE_MS) return refuse('NOT_ATTACHED');
  if (component.detachedAt !== undefined && time > component.detachedAt) return refuse('NOT_ATTACHED');

  const metric = component.metrics.get(reading.metric);
  if (metric === undefined) return refuse('UNKNOWN_METRIC');
  if (!(reading.value >= metric.min && reading.value <= metric.max)) return refuse('RANGE');

  const flags = (estimated ? FLAG_TIME_ESTIMATED : 0) | (reading.quality === 'suspect' ? FLAG_SUSPECT : 0);
  return {
    row: {
      deviceId: device.deviceId,
      bootId: boot.id,
      componentId: component.componentId,
      metricId: metric.metricId,
      flags,
      seq,
      time,
      value: reading.value,
    },
  };
}
