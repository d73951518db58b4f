import type { ColumnType, Generated } from 'kysely';

type Fixed<T> = ColumnType<T, T | undefined, never>;

interface TelemetryData {
  device_id: number;
  /** `device_boots.id` */
  boot_id: number;
  component_id: number;
  metric_id: number;
  /** Bit 0: time worked out by the cloud. Bit 1: suspect. */
  flags: number;
  seq: number;
  time: Date;
  value: number;
}

interface RolledUp {
  device_id: number;
  component_id: number;
  metric_id: number;
  /** Begin of the minute or hour. */
  bucket: Date;
  n: number;
  min: number;
  max: number;
  sum: number;
}

/** Filled by a trigger at each insert of readings. */
interface TelemetryTouched {
  device_id: number;
  minute: Date;
}

interface TelemetryQuarantine {
  id: Generated<number>;
  at: Fixed<Date>;
  device_id: number;
  reason: string;
  /** As the device wrote it: 32 hex digits. */
  boot_id: string;
  seq: number;
  component_id: number;
  metric: string;
  value: number;
  /** Epoch ms, as claimed; no timestamp, since it may be none. */
  measured_at_ms: number;
}

/** Readings and what is made of them. */
export interface TelemetryTables {
  telemetry_data: TelemetryData;
  telemetry_minutes: RolledUp;
  telemetry_hours: RolledUp;
  telemetry_touched: TelemetryTouched;
  telemetry_quarantine: TelemetryQuarantine;
}
