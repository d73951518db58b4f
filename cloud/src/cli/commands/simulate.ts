import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRegistrationLine, parseTrustFile } from '@ares/protocol';
import type { Command } from 'commander';
import { createVirtualPi, type VirtualPi } from '../../demo/virtual-pi.ts';
import { connectWithin, greenhouse, greenhouseWifi, pairVirtualPi } from '../../phone/simulated-phone.ts';
import { CliError } from '../cli-error.ts';
import { piFolder } from '../home.ts';
import type { CliContext } from '../program.ts';
import type { CliSession } from '../session.ts';

const MOST_DEVICES = 50;

/** `ares simulate --devices N`: further virtual Pis, each the real agent on a board of its own. */
export function simulateCommand(program: Command, context: CliContext): void {
  program
    .command('simulate')
    .description('run more virtual Pis against this cloud until Ctrl-C; their data stay for the next time')
    .requiredOption('--devices <number>', `how many (1 to ${MOST_DEVICES})`, Number)
    .action(async ({ devices }: { devices: number }) => {
      if (!Number.isInteger(devices) || devices < 1 || devices > MOST_DEVICES) {
        throw new CliError(`--devices takes a whole number from 1 to ${MOST_DEVICES}.`);
      }
      const owner = await context.signIn('owner');
      const admin = await context.signIn('administrator');
      const trust = parseTrustFile(
        JSON.parse(await readFile(join(piFolder(context.home), 'trust.json'), 'utf8')),
      );
      if (!trust.ok) throw new CliError('The trust file of the virtual Pi is damaged. Run npm start again.');
      const running: VirtualPi[] = [];
      try {
        for (let n = 1; n <= devices && !context.signal.aborted; n++) {
          const pi = createVirtualPi(join(context.home, 'fleet', String(n)));
          running.push(pi);
          const factory = await pi.factoryInit(trust.value);
          const deviceUuid = await bringUp({ pi, owner, admin, ...factory });
          console.log(`${n}/${devices}  ${deviceUuid} is online`);
        }
        console.log('All run. Ctrl-C ends them.');
        await new Promise<void>((resolve) => {
          if (context.signal.aborted) resolve();
          context.signal.addEventListener('abort', () => resolve());
        });
      } finally {
        await Promise.all(running.map((pi) => pi.stop()));
      }
    });
}

async function bringUp(options: {
  readonly pi: VirtualPi;
  readonly owner: CliSession;
  readonly admin: CliSession;
  readonly registrationLine: string;
  readonly setupCode: string;
}): Promise<string> {
  const { pi, owner, admin, registrationLine, setupCode } = options;
  const parsed = parseRegistrationLine(registrationLine);
  if (!parsed.ok) throw new CliError('factory-init printed no registration line.');
  const { deviceUuid } = parsed.value;
  const { items } = await admin.client.listDevices({ query: { text: deviceUuid } });
  const known = items.find((device) => device.deviceUuid === deviceUuid);
  if (known === undefined) await admin.client.preregister({ body: parsed.value });
  await pi.start();
  if (known?.lifeCycle === 'ACTIVE') return deviceUuid;
  return pairVirtualPi({
    link: await connectWithin(pi.bleSocket, 20_000),
    setupCode,
    client: owner.client,
    wifi: greenhouseWifi,
    components: greenhouse,
    onEvent: () => {},
  });
}
