import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError } from '@ares/protocol';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { drawMockDevice, registerWithFreshUuid, saveMockDevice } from '../mock-device.ts';
import { printJson, printRows } from '../output.ts';
import type { CliContext } from '../program.ts';

const MOST = 100;
const hardware = { hardwareVersion: 'pi-4', hardwareVariant: 'standard' };

/** `ares seed`: people and devices to try an installation with. */
export function seedCommand(program: Command, context: CliContext): void {
  program
    .command('seed')
    .description('fill a test installation with people and devices; who is there already stays as he is')
    .option('--users <number>', `user1@example.test and so on (0 to ${MOST})`, Number, 3)
    .option('--devices <number>', `devices on paper (0 to ${MOST})`, Number, 5)
    .action(async ({ users, devices }: { users: number; devices: number }) => {
      for (const [name, number] of Object.entries({ users, devices }))
        if (!Number.isInteger(number) || number < 0 || number > MOST)
          throw new CliError(`--${name} takes a whole number from 0 to ${MOST}.`);
      const file = join(context.home, 'seed.json');
      // Their passwords are nowhere else. Looked at first: whoever is made must be written down.
      const before = await madeBefore(file);
      const { client } = await context.signIn('administrator');
      const people: { email: string; password: string | null; what: string }[] = [];
      for (let n = 1; n <= users; n += 1) {
        const email = `user${n}@example.test`;
        const password = randomBytes(15).toString('base64url');
        const isNew = await client.register({ body: { email, password } }).then(
          () => true,
          (error: unknown) => {
            if (error instanceof ProblemError && error.code === 'EMAIL_TAKEN') return false;
            throw error;
          },
        );
        people.push({ email, password: isNew ? password : null, what: isNew ? 'made' : 'was there' });
      }
      const made = [];
      for (let n = 0; n < devices; n += 1) {
        const device = await registerWithFreshUuid(
          drawMockDevice(hardware),
          ({ identityKeyPem: _, ...body }) => client.preregister({ body }),
        );
        await saveMockDevice(context.home, device);
        made.push({ device: device.deviceUuid, serial: device.cpuSerial });
      }
      const fresh = people.filter(({ password }) => password !== null);
      if (fresh.length > 0)
        await writeFile(file, `${JSON.stringify([...before, ...fresh], null, 2)}\n`, { mode: 0o600 });
      if (context.json())
        return printJson({ users: people.map(({ email, what }) => ({ email, what })), devices: made });
      printRows(
        people.map(({ email, what }) => ({ user: email, what })),
        'No users.',
      );
      printRows(made, 'No devices.');
      if (fresh.length > 0) console.log(`Their passwords: ${file}`);
    });
}

/** @throws {CliError} when the file holds something else */
async function madeBefore(file: string): Promise<unknown[]> {
  try {
    const before: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (Array.isArray(before)) return before;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new CliError(`${file} holds no list of users: move it elsewhere and seed again.`);
}
