// Measures the installed agent in the lab: memory of all processes of its service against an idle Node, and what the
// start of things takes. Prints lines for test/bench/RESULTS.md.
// `ARES_LAB_ARCH=arm64 node --conditions=@ares/source test/lab/agent-memory.ts [MINUTES]`
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pairVirtualPi } from '../../cloud/src/phone/simulated-phone.ts';
import { type BenchCloud, startBenchCloud } from '../bench/bench-cloud.ts';
import { temporaryHome } from '../support/ares-process.ts';
import { makeGpioChip } from './gpio-sim.ts';
import { makeDevice } from './lab-device.ts';
import { installedLayer } from './layers/installed.ts';
import { buildMachine } from './layers/machine.ts';
import { agentPackage } from './layers/package.ts';
import { startPhone } from './phone.ts';
import { labArchitecture } from './requirements.ts';
import { Vm } from './vm.ts';

/** RSS and share of memory in KB of each process of the service: `name RSS Pss`. */
const PROCESSES = `
  for pid in $(cat /sys/fs/cgroup/system.slice/ares-agent.service/cgroup.procs); do
    awk -v name="$(cat /proc/$pid/comm)" '/^Rss:/ { rss = $2 } /^Pss:/ { pss = $2 } END { print name, rss, pss }' \\
      /proc/$pid/smaps_rollup
  done`;
const IDLE = "node -e 'setInterval(()=>{},1e3)'";

const minutes = Number(process.argv[2] ?? 10);
const base = await buildMachine(labArchitecture());
const agent = await agentPackage(base.architecture);
if (agent === undefined) throw new Error('this needs the package');
const installed = await installedLayer(base, agent);
const home = temporaryHome();
const cloud = await startBenchCloud({ home: join(home.path, 'cloud-home') });
try {
  row('package', statSync(agent.file).size / 1e6, 'MB', base.architecture);
  await measure(cloud);
} finally {
  await cloud.stop();
  home.remove();
}

async function measure(of: BenchCloud): Promise<void> {
  const booting = performance.now();
  await using vm = await Vm.start(installed, { cold: true, ports: [of.devicePort, of.mqttPort] });
  row('boot until the lab may work in it', (performance.now() - booting) / 1_000, 's');
  await makeGpioChip(vm);
  const device = await makeDevice(vm, of, { wifi: 'none' });
  await device.reaches('UNPROVISIONED');
  const phone = await startPhone(vm, 'noble');
  const link = await phone.connect();
  const pairing = performance.now();
  await pairVirtualPi({
    link,
    setupCode: device.setupCode,
    client: of.owner,
    wifi: undefined,
    components: [
      { componentType: 'cpu' },
      { componentType: 'pump', pins: { line: 17 } },
      { componentType: 'led', pins: { line: 27 } },
    ],
    onEvent: () => undefined,
  });
  row('Bluetooth connected until the phone is told', (performance.now() - pairing) / 1_000, 's');
  phone.close();
  await device.reaches('OPERATING');
  await vm.sh(`systemd-run -q --unit=idle-node /usr/lib/ares-agent/runtime/bin/${IDLE}`);
  await wait(minutes * 60_000);
  const processes = (await vm.sh(PROCESSES)).trim().split('\n');
  const idle = await vm.sh(PROCESSES.replace('ares-agent.service', 'idle-node.service'));
  const [, idleRss, idlePss] = numbers([idle.trim()]);
  const [, rss, pss] = numbers(processes);
  const against = (value: number, of: number) =>
    `${(value / of).toFixed(2)} × ${IDLE} (${(of / 1_024).toFixed(1)} MB)`;
  const note = processes.map((line) => line.replace(/ (\d+) \d+$/, (_, kb) => ` ${mb(kb)}`)).join(', ');
  row(`memory after ${minutes} min, RSS`, rss / 1_024, 'MB', note, against(rss, idleRss));
  row(`memory after ${minutes} min, share of pages (Pss)`, pss / 1_024, 'MB', '', against(pss, idlePss));
}

/** Count, RSS and Pss in KB. */
function numbers(lines: readonly string[]): [number, number, number] {
  const columns = lines.map((line) => line.split(' '));
  const sum = (fromEnd: number) => columns.reduce((total, words) => total + Number(words.at(-fromEnd)), 0);
  return [lines.length, sum(2), sum(1)];
}

function mb(kilobytes: string): string {
  return (Number(kilobytes) / 1_024).toFixed(1);
}

function row(name: string, value: number, unit: string, note = '', against = ''): void {
  console.log(`| ${name} | ${value.toFixed(value < 10 ? 2 : 1)} ${unit} | ${against} | ${note} |`);
}
