import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatMeasured, type Measured, measure, record, type Section } from './report.ts';

const sections: Readonly<Record<string, () => Promise<Section>>> = {
  mac: async () => (await import('./sections/mac.ts')).mac,
  ingest: async () => (await import('./sections/ingest.ts')).ingest,
  'agent-memory': async () => (await import('./sections/agent-memory.ts')).agentMemory,
  commands: async () => (await import('./sections/commands.ts')).commands,
  footprint: async () => (await import('./sections/footprint.ts')).footprint,
  provisioning: async () => (await import('./sections/provisioning.ts')).provisioning,
  services: async () => (await import('./sections/services.ts')).services,
  'state-store': async () => (await import('./sections/state-store.ts')).stateStore,
};

const usage = `usage: npm run bench -- [${Object.keys(sections).join('|')}]… [--minutes N] [--devices N] [--profile DIR] [--record]
  --minutes N    length of the runs of memory and footprint (default 10)
  --devices N    simulated devices of the ingest run (default 200)
  --profile DIR  write CPU profiles of the cloud there
  --record       append the figures to test/bench/RESULTS.md`;

/** Measures what is named, or everything, one after another. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: 'string', default: '10' },
      devices: { type: 'string', default: '200' },
      profile: { type: 'string' },
      record: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = positionals.filter((name) => !(name in sections));
  const minutes = Number(values.minutes);
  const devices = Number(values.devices);
  if (values.help || unknown.length > 0 || !(minutes > 0) || !(Number.isInteger(devices) && devices > 0)) {
    console.error(unknown.length > 0 ? `There is no section "${unknown.join('", "')}".\n${usage}` : usage);
    return values.help ? 0 : 2;
  }
  const home = mkdtempSync(join(tmpdir(), 'ares-bench-'));
  const measured: Measured[] = [];
  let failed = false;
  try {
    for (const name of positionals.length === 0 ? Object.keys(sections) : positionals) {
      console.log(`${name} …`);
      try {
        const context = {
          minutes,
          devices,
          profileDir: values.profile,
          home: join(home, name),
          say: (line: string) => console.log(`  ${line}`),
        };
        const result = await measure(name, await sections[name]!(), context);
        measured.push(result);
        console.log(`\n${formatMeasured(result)}`);
      } catch (error) {
        failed = true;
        console.error(`${name} could not be measured:`, error);
      }
    }
  } finally {
    if (process.env['ARES_KEEP'] === undefined) rmSync(home, { recursive: true, force: true });
    else console.log(`kept: ${home}`);
  }
  if (values.record && measured.length > 0) record(measured);
  return failed ? 1 : 0;
}

process.exitCode = await main();
