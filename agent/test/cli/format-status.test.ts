import { expect, it } from 'vitest';
import { formatStatus } from '../../src/cli/format-status.ts';
import type { ShownStatus } from '../../src/cli/gather-status.ts';

const status: ShownStatus = {
  running: true,
  deviceUuid: '679ec1b9-dbcc-46f4-8aa4-0f0332a953d0',
  cpuSerial: '10000000deadbeef',
  hardware: 'pi-5 standard',
  agentVersion: '0.1.0',
  state: 'OPERATING',
  why: 'The device works for owner@example.org.',
  since: '2026-11-18T09:00:00.000Z',
  whatToDo: 'The broker cannot be reached; trying again. (getaddrinfo ENOTFOUND broker.example.org)',
  bluetooth: 'closed',
  cloud: 'https://cloud.example.org',
  assignment: 3,
  certificateEnds: '2026-11-21T09:00:00.000Z',
  chain: [
    { link: 'radio', state: 'not needed', detail: 'Bluetooth is closed.' },
    {
      link: 'dns',
      state: 'broken',
      detail: 'The broker cannot be reached; trying again. (getaddrinfo ENOTFOUND broker.example.org)',
    },
    { link: 'quota', state: 'unknown' },
  ],
  firstBroken: { link: 'dns', state: 'broken', detail: 'The name cannot be found.' },
  session: {
    connection: {
      state: 'waiting',
      since: Date.parse('2026-11-20T08:00:00Z'),
      detail: 'The broker cannot be reached.',
    },
    bootId: 'a',
    bootCount: 7,
    clockTrusted: true,
    clockSource: 'system',
    guardAvailable: true,
    firstReadingAcknowledged: true,
    outbox: { rows: 1_200, bytes: 99_000, dropped: 0, deadLetters: 2, diskLow: false },
    pendingResults: 1,
    components: [
      { componentId: 4, componentType: 'dht22', status: 'ERROR', reason: 'The sensor does not answer.' },
    ],
  },
  trust: { belongsTo: ['CN=Greenhouse Cloud CA'], fingerprint: 'ab'.repeat(32), onFirstUse: false },
  store: null,
  board: 'this computer, GPIO by auto',
  button: 'GPIO 3, LED on GPIO 2',
  clockAssumed: false,
};

it('says on one screen of 80 columns what state, why, since when, what to do, and the first broken link', () => {
  const text = formatStatus(status, Date.parse('2026-11-20T09:00:00Z'));
  const lines = text.split('\n');
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(lines.length).toBeLessThanOrEqual(30);
  expect(text).toContain('state:         OPERATING');
  expect(text).toContain('since:         2026-11-18 09:00 UTC (2 days)');
  expect(text).toContain('look first at: dns: The name cannot be found.');
  expect(text).toContain('way to cloud:  radio    -      Bluetooth is closed.');
  expect(text).toMatch(/^ {15}dns {6}BROKEN /m);
  expect(text).toMatch(/1200 readings wait, 0 lost, 2 refused for ever/);
  expect(text).toContain('component 4:   dht22 ERROR: The sensor does not answer.');
});
