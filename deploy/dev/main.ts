// deploy/dev-init, deploy/dev-start, deploy/dev-stop: the cloud as the processes of a deployment, without Docker.
import { join } from 'node:path';
import { processesIn } from './processes.ts';
import { find, services } from './services.ts';
import { devHome, makeSettings, readSettings } from './settings.ts';

async function init(): Promise<void> {
  const settings = await makeSettings(devHome());
  console.log(`installation  ${settings.home}`);
  console.log(`panel, API    http://127.0.0.1:${settings.ports.api}`);
  console.log(
    `devices       https://127.0.0.1:${settings.ports.devices}, mqtts://127.0.0.1:${settings.ports.mqtt}`,
  );
  for (const [name, without] of [
    ['redis-server', 'live state and limits stay in each process'],
    ['mosquitto', 'the broker of the cloud itself is used'],
  ] as const)
    if (find(name) === undefined) console.log(`${name} is not installed: ${without}`);
  console.log('Next: deploy/dev-start');
}

async function start(): Promise<void> {
  const settings = readSettings(devHome());
  const processes = processesIn(settings.run);
  for (const service of services(settings)) {
    const how = await processes.start(service);
    console.log(`${service.name.padEnd(10)}${how === 'running' ? 'runs already' : 'started'}`);
  }
  // Loaded here: what ends the processes must work whatever the cloud's sources look like.
  const { ensureAccounts } = await import('./accounts.ts');
  await ensureAccounts(settings);
  const url = `http://127.0.0.1:${settings.ports.api}`;
  console.log(`\n${url} · documents at ${url}/docs · logs in ${settings.run}`);
  console.log(`As owner or administrator: ARES_HOME=${settings.home} npm run ares -- device list`);
  console.log(`Passwords for the panel: ${join(settings.home, 'credentials.json')} · end: deploy/dev-stop`);
}

async function stop(): Promise<void> {
  const settings = readSettings(devHome());
  const processes = processesIn(settings.run);
  for (const { name } of services(settings).toReversed())
    console.log(`${name.padEnd(10)}${await processes.stop(name)}`);
}

async function status(): Promise<void> {
  const settings = readSettings(devHome());
  const processes = processesIn(settings.run);
  for (const { name, ready } of services(settings)) {
    const state = !processes.isRunning(name) ? 'not running' : (await ready()) ? 'ready' : 'not ready';
    console.log(`${name.padEnd(10)}${state.padEnd(12)}${processes.logFile(name)}`);
  }
}

// A reader that closes early (`| head`) must not leave half of the processes.
process.stdout.on('error', () => undefined);

const commands: Readonly<Record<string, () => Promise<void>>> = { init, start, stop, status };
const command = commands[process.argv[2] ?? ''];
if (command === undefined) {
  console.error(`Say one of ${Object.keys(commands).join(', ')}.`);
  process.exitCode = 2;
} else {
  await command().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
