// Compares the two Bluetooth libraries in the lab: sessions that succeed, their time, memory of the radio's process, and
// its way back after SIGKILL. Prints a table.
//     node --conditions=@ares/source test/lab/compare-radios.ts [SESSIONS [LIBRARY [CENTRAL]]]
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { connectDevice } from '@ares/protocol/ble';
import { type BenchCloud, startBenchCloud } from '../bench/bench-cloud.ts';
import { temporaryHome } from '../support/ares-process.ts';
import { type LabDevice, makeDevice } from './lab-device.ts';
import { installedLayer } from './layers/installed.ts';
import { buildMachine } from './layers/machine.ts';
import { agentPackage } from './layers/package.ts';
import { type LabPhone, startPhone } from './phone.ts';
import type { Central } from './phone-bridge.ts';
import { Vm } from './vm.ts';

const RADIO = "pgrep -f 'ares-agent.mjs child ble'";
const sessions = Number(process.argv[2] ?? 10);

const machine = await buildMachine();
const agent = await agentPackage(machine.architecture);
if (agent === undefined) throw new Error('this needs the package');
const installed = await installedLayer(machine, agent);
const home = temporaryHome();
const cloud = await startBenchCloud({ home: join(home.path, 'cloud-home') });
try {
  console.log('library      central  sessions  median s  slowest s  Pss KiB  back after SIGKILL s');
  for (const library of ['stoprocent', 'abandonware'] as const)
    for (const central of ['bluez', 'noble'] as const)
      if (wanted(process.argv[3], library) && wanted(process.argv[4], central))
        console.log(await measure(cloud, library, central));
} finally {
  await cloud.stop();
  home.remove();
}

function wanted(asked: string | undefined, one: string): boolean {
  return asked === undefined || asked === one;
}

async function measure(of: BenchCloud, library: 'stoprocent' | 'abandonware', central: Central) {
  await using vm = await Vm.start(installed, { ports: [of.devicePort, of.mqttPort] });
  const phone = await startPhone(vm, central);
  const device = await makeDevice(vm, of, { wifi: 'none', bleLibrary: library });
  await device.reaches('UNPROVISIONED');
  const times: number[] = [];
  for (let attempt = 0; attempt < sessions; attempt += 1) {
    const seconds = await session(phone, device).catch((error: unknown) => console.error(String(error)));
    if (seconds !== undefined) times.push(seconds);
  }
  const pss = (await vm.sh(`awk '/^Pss:/ { print $2 }' /proc/$(${RADIO})/smaps_rollup`)).trim();
  const back: string[] = [];
  for (let kill = 0; kill < 4; kill += 1) back.push(await killRadio(vm, phone, device));
  phone.close();
  times.sort((one, other) => one - other);
  const median = times[Math.floor(times.length / 2)]?.toFixed(1);
  return [
    library.padEnd(12),
    central.padEnd(8),
    `${times.length} of ${sessions}`.padEnd(9),
    String(median).padEnd(9),
    String(times.at(-1)?.toFixed(1)).padEnd(10),
    pss.padEnd(8),
    back.join(' '),
  ].join(' ');
}

/** From the search for the device to its sealed answer, s. @throws when it fails */
async function session(phone: LabPhone, device: LabDevice): Promise<number> {
  const setupCode = device.setupCode;
  const begun = performance.now();
  const connection = await connectDevice({
    link: await phone.connect(30_000),
    setupCode,
    random: (length) => randomBytes(length),
    signal: AbortSignal.timeout(60_000),
  });
  await connection.identity();
  const seconds = (performance.now() - begun) / 1_000;
  await connection.close();
  return seconds;
}

async function killRadio(vm: Vm, phone: LabPhone, device: LabDevice): Promise<string> {
  await vm.sh(`kill -9 $(${RADIO})`);
  const begun = performance.now();
  try {
    await session(phone, device);
    return ((performance.now() - begun) / 1_000).toFixed(0);
  } catch (error) {
    console.error(String(error));
    return '-';
  }
}
