// The lab's command line; see README.md.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/repository.ts';
import { installedLayer } from './layers/installed.ts';
import { buildMachine } from './layers/machine.ts';
import { agentPackage } from './layers/package.ts';
import { labArchitecture, missingRequirements } from './requirements.ts';
import { Vm } from './vm.ts';

/** What the machine of a Pi's own architecture shows, at ten times the price: what depends on the architecture. */
const CASES_OF_ARM64 = ['00-boot', '01-onboarding', '04-gpio', '06-service'];
/** What CI runs with every change: outputs, onboarding and package; not what waits for minutes. See README.md. */
const QUICK_CASES = [
  '00-boot',
  '01-onboarding',
  '04-gpio-contract',
  '06-service',
  '07-volatile-disk',
  '09-readme',
];

const { architecture, words } = withoutArchitecture(process.argv.slice(2));
const [verb, ...args] = words;
const missing = missingRequirements(architecture);
if (missing.length > 0) {
  // In continuous integration the packages are installed first, so that there it is a failure.
  console.error(`Skipped: the lab needs ${missing.join(', ')}.`);
  process.exitCode = process.env['CI'] === undefined ? 0 : 1;
} else if (verb === 'run') {
  process.exitCode = await runCases(args);
} else if (verb === 'build') {
  console.log((await buildMachine(architecture)).disk);
} else if (verb === 'shell') {
  process.exitCode = await shell(args);
} else {
  console.error(
    '[--arch amd64|arm64] run [--quick] [what Vitest takes] | build | shell [--installed] [--cold] "SCRIPT"',
  );
  process.exitCode = 2;
}

/** Takes `--arch ARCHITECTURE` out of the words, wherever it stands. */
function withoutArchitecture(given: readonly string[]) {
  const at = given.indexOf('--arch');
  if (at >= 0) process.env['ARES_LAB_ARCH'] = given[at + 1] ?? '';
  return {
    architecture: labArchitecture(),
    words: at < 0 ? given : [...given.slice(0, at), ...given.slice(at + 2)],
  };
}

async function runCases(given: readonly string[]): Promise<number> {
  const more = given.filter((word) => word !== '--quick');
  const cases = architecture === 'arm64' ? CASES_OF_ARM64 : more.length < given.length ? QUICK_CASES : [];
  const chosen = more.some((word) => !word.startsWith('-')) ? more : [...cases, ...more];
  const vitest = spawn(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'lab', ...chosen],
    { cwd: root, env: { ...process.env, ARES_LAB: process.env['ARES_LAB'] ?? '1' }, stdio: 'inherit' },
  );
  return await new Promise((resolve) => vitest.once('exit', (code) => resolve(code ?? 1)));
}

/** Runs a script in a machine of its own and prints what it prints. */
async function shell(words: readonly string[]): Promise<number> {
  const flags = words.filter((word) => word.startsWith('--'));
  const base = await buildMachine(architecture);
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
