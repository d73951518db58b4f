// The lab's command line; see README.md.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/repository.ts';
import { installedLayer } from './layers/installed.ts';
import { buildMachine } from './layers/machine.ts';
import { agentPackage } from './layers/package.ts';
import { missingRequirements } from './requirements.ts';
import { Vm } from './vm.ts';

const [verb, ...args] = process.argv.slice(2);
const missing = missingRequirements();
if (missing.length > 0) {
  // In continuous integration the packages are installed first, so that there it is a failure.
  console.error(`Skipped: the lab needs ${missing.join(', ')}.`);
  process.exitCode = process.env['CI'] === undefined ? 0 : 1;
} else if (verb === 'run') {
  process.exitCode = await runCases(args);
} else if (verb === 'build') {
  console.log((await buildMachine()).disk);
} else if (verb === 'shell') {
  process.exitCode = await shell(args);
} else {
  console.error('run [what Vitest takes] | build | shell [--installed] [--cold] "SCRIPT"');
  process.exitCode = 2;
}

async function runCases(more: readonly string[]): Promise<number> {
  const vitest = spawn(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'lab', ...more],
    { cwd: root, env: { ...process.env, ARES_LAB: '1' }, stdio: 'inherit' },
  );
  return await new Promise((resolve) => vitest.once('exit', (code) => resolve(code ?? 1)));
}

/** Runs a script in a machine of its own and prints what it prints. */
async function shell(words: readonly string[]): Promise<number> {
  const flags = words.filter((word) => word.startsWith('--'));
  const base = await buildMachine();
  const agent = flags.includes('--installed') ? await agentPackage(base.architecture) : undefined;
  const machine = agent === undefined ? base : await installedLayer(base, agent);
  const started = Date.now();
  await using vm = await Vm.start(machine, { cold: flags.includes('--cold') });
  console.error(`lab: ready after ${((Date.now() - started) / 1_000).toFixed(1)} s`);
  const ran = await vm.run(words.slice(flags.length).join(' '));
  process.stdout.write(ran.stdout);
  process.stderr.write(ran.stderr);
  return ran.status;
}
