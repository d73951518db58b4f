import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mqttCommands } from '../../src/cli/commands/mqtt.ts';
import type { CliContext } from '../../src/cli/program.ts';
import type { MqttTools } from '../../src/compose-monitor.ts';
import type { Seen } from '../../src/monitor/types.ts';

const deviceUuid = '6a7c4c5e-7f4d-4c52-8b0e-0a4c4d1f2a33';
const seen: Seen = {
  at: Date.UTC(2026, 10, 20, 16, 30, 1, 234),
  topic: `telemetry/${deviceUuid}/ota/status`,
  kind: 'otaStatus',
  from: 'device',
  deviceUuid,
  bytes: 412,
  verdict: 'MAC_MISMATCH',
  detail: 'half \u001b[2J way',
};
const trip = {
  deviceUuid,
  topic: 't',
  bytes: 9,
  roundTripMs: 1.2,
  signed: true,
  presence: 'ONLINE' as const,
};
const test = { deviceUuid, before: 'ONLINE', after: 'OFFLINE', tookMs: 120 } as const;

/** What the command asks of the broker, under which name, and what it prints. */
async function run(json: boolean, ...args: string[]) {
  const calls: unknown[] = [];
  const tools: MqttTools = {
    find: async (text) => (text === 'both' ? [deviceUuid, deviceUuid] : text === 'none' ? [] : [deviceUuid]),
    async watch({ signal: _, show, listening, ...options }) {
      calls.push(options);
      listening();
      show(seen);
      show({ ...seen, verdict: 'OK' });
      return { shown: 2, dropped: 3 };
    },
    roundTrip: async (uuid) => {
      calls.push(uuid);
      return trip;
    },
    offline: async (uuid, options) => {
      calls.push([uuid, options]);
      return { ...test, reconnected: options.reconnect };
    },
  };
  const names: string[] = [];
  const context = { json: () => json, signal: new AbortController().signal } as unknown as CliContext;
  const program = new Command('ares').exitOverride();
  mqttCommands(program, context, async (name, work) => {
    names.push(name);
    return work(tools);
  });
  const log = vi.spyOn(console, 'log').mockClear().mockReturnValue(undefined);
  const error = vi.spyOn(console, 'error').mockClear().mockReturnValue(undefined);
  await program.parseAsync(['mqtt', ...args], { from: 'user' });
  const text = (spy: typeof log) => spy.mock.calls.flat().join('\n');
  return { calls, names, printed: text(log), errors: text(error) };
}

afterEach(() => vi.restoreAllMocks());

describe('ares mqtt monitor', () => {
  it('prints a line for each message and a table of verdicts, as the one who may only read', async () => {
    const { calls, names, printed, errors } = await run(
      false,
      'monitor',
      '--device',
      'basil',
      '--count',
      '2',
    );
    expect(names).toEqual(['ares-monitor']);
    expect(calls).toEqual([{ deviceUuid, count: 2 }]);
    const [first, , , ...table] = printed.split('\n');
    expect(first).toBe(
      `16:30:01.234 MAC_MISMATCH otaStatus         device   ${deviceUuid}    412 B  half \\u001b[2J way`,
    );
    expect(table.join('\n')).toMatch(/VERDICT +MESSAGES +BYTES\nMAC_MISMATCH +1 +412\nOK +1 +412$/);
    expect(errors).toContain(`Listening to ${deviceUuid}`);
    expect(errors).toContain('3 messages came too fast');
  });

  it('prints one JSON object a line for machines, and nothing else', async () => {
    const { printed, calls } = await run(true, 'monitor');
    const lines = printed.split('\n').map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      { at: '2026-11-20T16:30:01.234Z', verdict: 'MAC_MISMATCH' },
      { verdict: 'OK' },
    ]);
    expect(calls).toEqual([{ deviceUuid: undefined, count: undefined }]);
  });

  it.each([
    [['--device', 'both'], 'fits several devices'],
    [['--device', 'none'], 'No device none.'],
    [['--count', '0'], 'no number of messages'],
    [['--for', 'ever'], 'is no duration'],
  ])('says what is wrong with %j', async (args, text) => {
    await expect(run(false, 'monitor', ...args)).rejects.toThrow(text);
  });
});

describe('ares mqtt publish-test and publish-offline', () => {
  it('tell what happened, as the operator who may speak', async () => {
    const { calls, names, printed } = await run(false, 'publish-test', '--device', '6a7c');
    expect([calls, names]).toEqual([[deviceUuid], ['ares-operator']]);
    expect(printed).toMatch(/1\.2 ms +true +ONLINE\nNothing was changed\./);
    expect(JSON.parse((await run(true, 'publish-test', '--device', '6a7c')).printed)).toEqual(trip);
  });

  it('want a reason for what is said in the name of a device, and have it come back', async () => {
    const words = ['publish-offline', '--device', '6a7c', '--reason', 'a drill'];
    const { calls, printed } = await run(false, ...words);
    expect(calls).toEqual([[deviceUuid, { reason: 'a drill', reconnect: true }]]);
    expect(printed).toContain('told to connect anew. The audit log has device.offline-test.');
    const left = await run(true, ...words, '--no-reconnect');
    expect(left.calls).toEqual([[deviceUuid, { reason: 'a drill', reconnect: false }]]);
    expect(JSON.parse(left.printed)).toEqual({ ...test, reconnected: false });
    await expect(run(false, 'publish-offline', '--device', '6a7c', '--reason', ' ')).rejects.toThrow(
      '--reason',
    );
  });
});
