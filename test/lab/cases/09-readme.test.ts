import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, inject, it } from 'vitest';
import { freePort, temporaryHome } from '../../support/ares-process.ts';
import { readText, root } from '../../support/repository.ts';
import { askAgentStatus } from '../agent-status.ts';
import { command } from '../command.ts';
import { makeGpioChip } from '../gpio-sim.ts';
import { connectPhone } from '../phone.ts';
import { GUEST_SHARE, Vm } from '../vm.ts';

const home = temporaryHome();
const stack = new AsyncDisposableStack();
afterAll(async () => {
  await stack.disposeAsync();
  home.remove();
});

const page = /## Put it on a Pi\n([\s\S]*?)\n### /.exec(readText('README.md'))?.[1] ?? '';
/** Commands of the page; each is taken out once, so that what is left at the end was not tried. */
const left = [...page.matchAll(/```\n([\s\S]*?)```/g)].flatMap(
  ([, block]) => block?.trim().split('\n') ?? [],
);
const take = (start: string): string => {
  const index = left.findIndex((line) => line.startsWith(start));
  if (index < 0) throw new Error(`The page has no further command that begins with "${start}".`);
  return left.splice(index, 1)[0] ?? '';
};

it('the README puts the agent on a Pi, word for word but for names, radio and processor', async () => {
  const machine = inject('labWithPhone');
  if (machine === null) throw new Error('this case needs the package');
  const env: Record<string, string> = { ARES_HOME: join(home.path, '.ares'), PORT: String(await freePort()) };
  const onComputer = (line: string) => command('sh', ['-c', line], { cwd: root, env });

  const devicePort = await startCloud(
    take('ARES_DEVICE_HOST=192.168.1.5').replace('192.168.1.5', '127.0.0.1'),
    env,
  );
  const password = /once: (\S+)/.exec(await onComputer(take('npm run ares -- admin create')))?.[1] ?? '';

  // The lab's machine has had its `apt install`; its files come by the shared folder.
  expect(take('npm run build:deb')).toBe('npm run build:deb -- --arch arm64');
  const file = /^sudo apt install \.\/(\S+)$/.exec(take('sudo apt install'))?.[1] ?? '';
  expect(take('scp')).toBe(`scp deploy/dist/${file} .ares/cloud/trust.json pi@raspberrypi.local:`);
  expect(file.replace('arm64', machine.architecture)).toBe(inject('labPackage')?.split('/').at(-1));
  const ports = JSON.parse(readFileSync(join(home.path, '.ares/cloud/ports.json'), 'utf8')) as {
    mqtt: number;
  };
  const vm = await Vm.start(machine, { ports: [devicePort, ports.mqtt] });
  stack.defer(() => vm.stop());
  await makeGpioChip(vm);
  copyFileSync(join(home.path, '.ares/cloud/trust.json'), join(vm.share, 'trust.json'));
  const onPi = (line: string) => vm.sh(`cd ${GUEST_SHARE}; ${line.replace(/^sudo /, '')}`);
  const phone = await connectPhone(vm);
  stack.defer(async () => phone.close());

  const made = await onPi(take('sudo ares-agent factory-init'));
  const line = made.split('\n').find((text) => text.startsWith('ares1:')) ?? made;
  await expect.poll(() => onPi('ares-agent status'), { timeout: 60_000 }).toMatch(/^state: +UNPROVISIONED/m);
  expect(take('sudo ares-agent status')).toBe('sudo ares-agent status');

  expect(take('export')).toBe(
    'export ARES_URL=http://127.0.0.1:8080 ARES_EMAIL=you@example.org ARES_PASSWORD=…',
  );
  Object.assign(env, {
    ARES_URL: `http://127.0.0.1:${env['PORT']}`,
    ARES_EMAIL: 'you@example.org',
    ARES_PASSWORD: password,
  });
  await onComputer(take('npm run ares -- device preregister').replace("'the line'", `'${line}'`));
  const label = /ARES:1:\S+/.exec(await onPi('ares-agent label'))?.[0] ?? '';
  // What it asks for.
  env['ARES_SETUP_CODE'] = label;
  const pair = take('sudo -E npm run ares -- pair')
    .replace('sudo -E ', '')
    // The computer's Bluetooth is the guest's second controller, and the guest has a cable.
    .replace('--bluetooth', `--socket ${phone.socketPath}`)
    .replace(/--ssid '[^']*'/, '--keep-network');
  expect(await onComputer(pair)).toMatch(/is yours/);
  const id = label.split(':')[2] ?? '';
  await onComputer(take('npm run ares -- component add').replace('<id>', id));
  await expect
    .poll(
      async () =>
        (await askAgentStatus(vm)).session?.components.map((one) => `${one.componentType} ${one.status}`),
      {
        timeout: 60_000,
      },
    )
    .toEqual(['cpu OK', 'pump OK']);
  expect(await onPi('ares-agent status')).toMatch(/^state: +OPERATING/m);
  expect(left).toEqual([]);
});

/** Runs the page's command until the end of the case; gives the port for devices. */
async function startCloud(line: string, env: Readonly<Record<string, string>>): Promise<number> {
  const cloud = spawn('sh', ['-c', `exec env ${line}`], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => cloud.once('exit', () => resolve()));
  stack.defer(async () => {
    cloud.kill('SIGTERM');
    await ended;
  });
  return await new Promise((resolve, reject) => {
    let text = '';
    void ended.then(() => reject(new Error(`the cloud ended: ${text}`)));
    cloud.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const found = /"ready":.*"devices":"https:\/\/[^:]+:(\d+)"/.exec(text);
      if (found !== null) resolve(Number(found[1]));
    });
  });
}
