import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { userCommands } from '../../src/cli/commands/users.ts';
import type { CliContext } from '../../src/cli/program.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
let admin: Awaited<ReturnType<HttpWorld['person']>>;
beforeAll(async () => {
  world = await httpWorld();
  admin = await world.person(['prime_admin']);
});
afterAll(() => world.close());

/** What the command prints. */
async function ares(json: boolean, ...args: string[]): Promise<string> {
  const lines: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
  const context = {
    json: () => json,
    signIn: async () => ({ client: admin.client }),
  } as unknown as CliContext;
  const program = new Command().exitOverride();
  userCommands(program, context);
  try {
    await program.parseAsync(['users', ...args], { from: 'user' });
  } finally {
    log.mockRestore();
  }
  return lines.join('\n');
}

describe('ares users', () => {
  it('lists accounts as a table for people and as JSON for machines', async () => {
    const person = await world.person(['developer']);
    const table = await ares(false, 'list', '--email', person.email);
    expect(table).toMatch(/^ID +EMAIL +VERIFIED +ROLES +STATE +DEVICES +LASTSIGNIN\n/);
    expect(table).toMatch(new RegExp(`${person.userUuid} +${person.email} +yes +developer +ACTIVE +0`));
    const { items } = JSON.parse(await ares(true, 'list', '--role', 'developer')) as {
      items: { email: string }[];
    };
    expect(items.map(({ email }) => email)).toContain(person.email);
  });

  it('says what it changed', async () => {
    const { email } = await world.person();
    expect(await ares(false, 'suspend', email)).toMatch(`${email} is suspended; its sessions have ended.`);
    expect(await ares(false, 'list', '--suspended')).toContain(email);
    expect(await ares(false, 'unsuspend', email.toUpperCase())).toMatch(`${email} may sign in again.`);
    expect(await ares(false, 'roles', 'grant', email, 'general_admin')).toMatch('has the role general_admin');
    expect(JSON.parse(await ares(true, 'show', email))).toMatchObject({ roles: ['general_admin'] });
    expect(await ares(false, 'roles', 'take', email, 'general_admin')).toMatch('no more');
  });

  it('makes an account whose owner is mailed a code', async () => {
    const made = await ares(false, 'create', 'made@example.org', '--name', 'Made', '--role', 'developer');
    expect(made).toContain('Made the account made@example.org');
    expect(await world.parts.codeFor('made@example.org')).toMatch(/^\d{6}$/);
  });

  it('says which account or role it does not know', async () => {
    await expect(ares(false, 'show', 'nobody@example.org')).rejects.toThrow('There is no account nobody@');
    await expect(ares(false, 'show', '@example.org')).rejects.toThrow('write the whole address');
    await expect(ares(false, 'roles', 'grant', admin.email, 'king')).rejects.toThrow('There is no role king');
  });
});
