import { describe, expect, it, onTestFinished } from 'vitest';
import {
  continuousAggregates,
  rehearsal,
  rehearsalEnd,
  toHypertable,
} from '../../src/adapters/timescale-sql.ts';
import { openTimescaleStorage } from '../../src/adapters/timescale-storage.ts';
import { defaultRetention } from '../../src/telemetry/retention.ts';
import { useCloudDatabase } from '../support/database.ts';
import { everythingIn } from '../support/filled-database.ts';
import { silentLogger } from '../support/quiet.ts';

describe('TimescaleDB', () => {
  it('is not used, and nothing is touched, where its extension is not installed', async () => {
    const database = await useCloudDatabase();
    onTestFinished(() => database.close());
    const before = await everythingIn(database);
    const options = { database, retention: defaultRetention, log: silentLogger };
    expect(await openTimescaleStorage(options)).toBeUndefined();
    expect(await everythingIn(database)).toEqual(before);
  });

  it('is rehearsed with all that is needed, in a schema of its own, before anything is changed', () => {
    const statements = rehearsal(defaultRetention);
    expect(statements.indexOf('set search_path = ares_rehearsal, public')).toBeLessThan(
      statements.findIndex((statement) => statement.includes('create_hypertable')),
    );
    expect(statements).toEqual(expect.arrayContaining([...continuousAggregates(defaultRetention)]));
    expect(rehearsalEnd).toEqual(['reset search_path', 'drop schema if exists ares_rehearsal cascade']);
  });

  it('keeps the names and columns of the plain tables', () => {
    const text = [...toHypertable, ...continuousAggregates(defaultRetention)].join('\n');
    for (const name of ['telemetry_data', 'telemetry_minutes', 'telemetry_hours', 'telemetry_readings'])
      expect(text).toMatch(new RegExp(`create (table|view|materialized view( if not exists)?) ${name}\\b`));
    for (const column of [
      'device_id',
      'component_id',
      'metric_id',
      'as bucket',
      'as n',
      'as min',
      'as max',
      'as sum',
    ])
      expect(text.split(column).length - 1, column).toBeGreaterThanOrEqual(2);
    expect(text).toMatch(/unique index .* \(device_id, boot_id, seq, time\)/);
  });

  it('never refreshes what its readings are gone for, and keeps what the settings say', () => {
    const text = continuousAggregates({ rawDays: 3, minuteDays: 20, hourDays: 400 }).join('\n');
    expect(text.match(/start_offset => interval '3 days'/g)).toHaveLength(2);
    expect(text).toMatch(/add_retention_policy\('telemetry_data', interval '4 days'/);
    expect(text).toMatch(/add_retention_policy\('telemetry_minutes', interval '20 days'/);
    expect(text).toMatch(/add_retention_policy\('telemetry_hours', interval '400 days'/);
    expect(continuousAggregates(defaultRetention).join('\n')).not.toMatch(
      /retention_policy\('telemetry_hours'/,
    );
  });
});
