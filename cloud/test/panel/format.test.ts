import { ProblemError } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import {
  actionText,
  agoText,
  durationText,
  label,
  numberText,
  outcomeText,
  problemText,
  valueText,
} from '../../src/panel/web/format.ts';
import type { Command } from '../../src/panel/web/types.ts';

const now = Date.parse('2030-01-01T00:00:00Z');
const command = (more: Partial<Command>): Command => ({
  commandId: '3f6f1c1e-5d0b-4b6e-9f5a-2f0d6b1c7a10',
  componentId: 4,
  componentType: 'pump',
  action: 'on',
  args: { durationMs: 10_000 },
  status: 'PENDING',
  createdAt: '2030-01-01T00:00:00Z',
  expiresAt: '2030-01-01T00:00:30Z',
  finishedAt: null,
  ...more,
});

describe('values', () => {
  it.each([
    [23.44, 'Cel', 'temperature', '23.4 °C'],
    [23, 'Cel', 'temperature', '23 °C'],
    [1013.26, 'hPa', 'pressure', '1013 hPa'],
    [0.05, '%', 'moisture', '0.05 %'],
    [-0.0004, '%', 'moisture', '0 %'],
    [1, '1', 'state', 'On'],
    [0, '1', 'state', 'Off'],
    [3, '1', 'count', '3'],
  ])('%d %s of %s reads %s', (value, unit, metric, text) => {
    expect(valueText(value, unit, metric)).toBe(text);
  });

  it('never shows a negative zero', () => expect(numberText(-0.0001)).toBe('0'));
});

describe('words', () => {
  it.each([
    ['soil-moisture', 'Soil moisture'],
    ['load_average', 'Load average'],
    ['dht22', 'DHT22'],
    ['RECOVERY_NEEDED'.toLowerCase(), 'Recovery needed'],
  ])('%s reads %s', (id, text) => expect(label(id)).toBe(text));

  it.each([
    [0, 'just now'],
    [-60_000, 'just now'],
    [12_000, '12 s ago'],
    [185_000, '3 min ago'],
    [7_200_000, '2 h ago'],
    [200_000_000, '2 days ago'],
  ])('%d ms ago reads %s', (ms, text) => expect(agoText(new Date(now - ms).toISOString(), now)).toBe(text));

  it('says never for what was never seen', () => expect(agoText(null, now)).toBe('never'));

  it.each([
    [10_000, '10 s'],
    [90_000, '1 min 30 s'],
    [86_400_000, '24 h'],
    [-5, '0 s'],
  ])('%d ms last %s', (ms, text) => expect(durationText(ms)).toBe(text));
});

describe('a command', () => {
  it('is not called done before the device said so', () => {
    expect(outcomeText(command({}), now)).toBe('Sent; the device has not answered yet.');
    expect(actionText(command({}))).toBe('on for 10 s');
    expect(actionText(command({ action: 'off', args: {} }))).toBe('off');
  });

  it('says that it ends by itself, unless a later one overtook it', () => {
    const done = command({ status: 'COMPLETED', verified: true, leaseEndsAt: '2030-01-01T00:00:08Z' });
    expect(outcomeText(done, now)).toBe('Done, read back from the line; goes off by itself in 8 s.');
    expect(outcomeText(done, now, true)).toBe('Done, read back from the line.');
  });

  it('says why it was refused', () => {
    const refused = command({ status: 'REJECTED', code: 'LIMIT', detail: 'At most 600 s.' });
    expect(outcomeText(refused, now)).toBe('Refused by the device. At most 600 s. (LIMIT)');
    expect(outcomeText(command({ status: 'FAILED' }), now)).toBe('Failed. The device gave no reason.');
  });

  it.each(['EXPIRED', 'STALE'] as const)('%s says that it never ran', (status) => {
    expect(outcomeText(command({ status }), now)).toMatch(/never ran\.$/);
  });

  it('does not guess what happened when power was lost', () => {
    expect(outcomeText(command({ status: 'UNKNOWN' }), now)).toMatch(/^Unknown/);
  });
});

describe('a failed call', () => {
  it('shows the detail, and each wrong field once', () => {
    const error = new ProblemError('INVALID_REQUEST', 'dht22 needs a pin.', {
      issues: [
        { path: 'pins', message: 'dht22 needs a pin.' },
        { path: 'name', message: 'is too long' },
      ],
    });
    expect(problemText(error)).toBe('dht22 needs a pin. name: is too long');
  });

  it('tells a dead network from a strange answer', () => {
    expect(problemText(new TypeError('Failed to fetch'))).toMatch(/cannot be reached/);
    expect(problemText(new SyntaxError('x'))).toMatch(/does not understand/);
  });
});
