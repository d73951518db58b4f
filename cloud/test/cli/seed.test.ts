import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { seedCommand } from '../../src/cli/commands/seed.ts';
import type { CliContext } from '../../src/cli/program.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
let admin: Awaited<ReturnType<HttpWorld['person']>>;
let home: string;
beforeAll(async () => {
  world = await httpWorld();
  admin = await world.person(['prime_admin']);
  home = await mkdtemp(join(tmpdir(), 'ares-seed-'));
});
afterAll(() => world.close());

async function seed(...args: string[]): Promise<void> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const context = { home, json: () => true, signIn: async () => ({ client: admin.client }) };
  const program = new Command().exitOverride();
  seedCommand(program, context as unknown as CliContext);
  try {
    await program.parseAsync(['seed', '--devices', '0', ...args], { from: 'user' });
  } finally {
    log.mockRestore();
  }
}
const people = async () =>
  JSON.parse(await readFile(join(home, 'seed.json'), 'utf8')) as { email: string; password: string }[];

it('keeps the password of everybody it ever made, in a private file', async () => {
  await seed('--users', '1');
  await seed('--users', '3');
  await seed('--users', '3');
  const all = await people();
  expect(all.map(({ email }) => email)).toEqual([1, 2, 3].map((n) => `user${n}@example.test`));
  for (const { email, password } of all)
    await expect(world.accounts.login({ email, password, source: 'test' })).resolves.toBeTruthy();
  expect((await stat(join(home, 'seed.json'))).mode & 0o777).toBe(0o600);
});

it('makes nobody while it could not write him down', async () => {
  await writeFile(join(home, 'seed.json'), 'not a list');
  await expect(seed('--users', '4')).rejects.toThrow('holds no list of users');
  await expect(
    admin.client.register({ body: { email: 'user4@example.test', password: 'correct horse battery' } }),
  ).resolves.toBeTruthy();
});
