import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SystemRole } from '../../src/accounts/system-roles.ts';
import { rolesCommand } from '../../src/cli/commands/roles.ts';
import type { CliContext } from '../../src/cli/program.ts';

const there: readonly SystemRole[] = [
  { name: 'prime_admin', made: false, holders: 1 },
  { name: 'developer', made: false, holders: 0 },
];

async function run(roles: readonly SystemRole[], json: boolean, ...args: string[]): Promise<string> {
  const program = new Command('ares').exitOverride();
  rolesCommand(program, { json: () => json } as unknown as CliContext, async () => roles);
  const log = vi.spyOn(console, 'log').mockClear().mockReturnValue(undefined);
  await program.parseAsync(args, { from: 'user' });
  return log.mock.calls.flat().join('\n');
}

afterEach(() => vi.restoreAllMocks());

describe('ares roles', () => {
  it('prints the table without a cloud, and init says what it changed', async () => {
    expect(await run(there, false, 'roles')).toContain('| `POST /api/devices/{id}/uuid` | `admin` |');
    expect(await run(there, false, 'roles', 'init')).toMatch(
      /prime_admin +was there +1\n.*\nNothing was changed\.$/,
    );
    const bare = [{ name: 'prime_admin', made: true, holders: 0 }] as const;
    const text = await run(bare, false, 'roles', 'init');
    expect(text).toContain('Made 1; nobody has what was made.');
    expect(text).toContain('ares admin create EMAIL');
    expect(JSON.parse(await run(there, true, 'roles', 'init'))).toEqual({ items: there });
  });
});

describe('ares permissions', () => {
  it('names the routes of a role, and none of those above it', async () => {
    const text = await run(there, false, 'permissions', '--role', 'developer');
    expect(text).toMatch(/POST +\/api\/devices +developer/);
    expect(text).not.toContain('/uuid');
    const { items } = JSON.parse(await run(there, true, 'permissions', '--role', 'prime_admin')) as {
      items: { path: string; roles: string[] }[];
    };
    expect(items.map(({ path }) => path)).toContain('/api/devices/{id}/uuid');
    expect(items.every(({ roles }) => roles.includes('prime_admin'))).toBe(true);
  });
});
