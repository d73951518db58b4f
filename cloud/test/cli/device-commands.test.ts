import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { pinRuleCommands, variantCommands } from '../../src/cli/commands/catalogue.ts';
import { componentCommands } from '../../src/cli/commands/component.ts';
import { deviceCommands } from '../../src/cli/commands/device.ts';
import { rolesCommand } from '../../src/cli/commands/roles.ts';
import { alertCommands } from '../../src/cli/commands/supervision.ts';
import type { CliContext } from '../../src/cli/program.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';

let world: HttpWorld;
let owner: Awaited<ReturnType<HttpWorld['person']>>;
let admin: typeof owner;
let id: string;
beforeAll(async () => {
  world = await httpWorld();
  [owner, admin] = [await world.person(), await world.person(['prime_admin'])];
  ({ deviceUuid: id } = await world.device(owner));
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => world.close());

/** What the command prints, as one text; `json` parsed. */
async function run(...args: string[]): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)));
  const context = {
    json: () => args.includes('--json'),
    signIn: async (role?: string) => ({ client: role === 'administrator' ? admin.client : owner.client }),
  } as unknown as CliContext;
  const program = new Command().exitOverride().option('--json');
  deviceCommands(program, context);
  componentCommands(program, context);
  variantCommands(program, context);
  pinRuleCommands(program, context);
  alertCommands(program, context);
  rolesCommand(program, context);
  await program.parseAsync(args, { from: 'user' });
  vi.restoreAllMocks();
  return lines.join('\n');
}
const json = async (...args: string[]) => JSON.parse(await run('--json', ...args)) as never;

describe('ares device', () => {
  it('lists by filter, as a table and as JSON', async () => {
    await run('device', 'nickname', id, 'Tomatoes');
    expect(await run('device', 'list', '--text', 'tomat')).toMatch(/^ID .*\n.*Tomatoes/);
    expect(await run('device', 'list', '--presence', 'ONLINE')).toBe('No device is like that.');
    expect(await json('device', 'list', '--sort', 'nickname', '--order', 'desc')).toMatchObject({
      items: [{ deviceUuid: id, nickname: 'Tomatoes', role: 'owner' }],
    });
  });

  it('shares and stops sharing', async () => {
    expect(await run('device', 'share', id, 'Friend@Example.org')).toContain('friend@example.org');
    expect(await run('device', 'viewers', 'Tomatoes')).toContain('friend@example.org');
    await run('device', 'unshare', id, 'friend@example.org');
    expect(await run('device', 'viewers', id)).toBe('It is shared with nobody.');
    await expect(run('device', 'unshare', id, 'friend@example.org')).rejects.toThrow(/not shared/);
  });

  it('blocks, unblocks and tells what happened', async () => {
    expect(await run('device', 'block', id, '--reason', 'stolen')).toContain('is blocked');
    expect(await run('device', 'security-events', id)).toContain('DEVICE_BLOCKED');
    expect(await json('device', 'unblock', id, '--reason', 'found')).toEqual({
      deviceUuid: id,
      action: 'unblock',
      reason: 'found',
    });
    await expect(run('device', 'lift-quarantine', id, '--reason', 'why not')).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });

  it('shows bindings and unbinds', async () => {
    expect(await run('device', 'binding', id)).toContain(owner.email);
    expect(await run('device', 'bindings', owner.userUuid, '--active')).toContain(id);
    expect(await json('device', 'bindings', owner.userUuid, '--ended')).toEqual({ items: [] });
    await expect(run('device', 'bind', id, owner.userUuid)).rejects.toMatchObject({
      code: 'IDENTITY_UNKNOWN',
    });
    await run('device', 'unbind', id);
    expect(world.released).toMatchObject([{ deviceUuid: id }]);
  });
});

describe('ares variant, pin-rules and component', () => {
  it('add a variant, narrow its rules and delete it', async () => {
    await run('variant', 'add', 'pi-9', 'attic', '--description', 'under the roof');
    expect(await run('variant', 'list')).toContain('under the roof');
    expect(await run('pin-rules', 'set', 'pi-9', 'attic', 'pump', 'line', '17, 22')).toContain('17, 22');
    expect(await run('pin-rules', 'list', 'pi-9', 'attic', '--type', 'pump')).toMatch(/pump +line +17,22/);
    await run('pin-rules', 'remove', 'pi-9', 'attic', 'pump', 'line');
    expect(await run('pin-rules', 'list', 'pi-9', 'attic', '--type', 'pump')).toBe(
      'Nothing may sit on this variant.',
    );
    expect(await json('pin-rules', 'set', 'pi-9', 'attic', 'pump', 'line', '27')).toMatchObject({
      pins: [27],
    });
    await expect(run('pin-rules', 'set', 'pi-9', 'attic', 'pump', 'line', 'all')).rejects.toThrow(
      /names no lines/,
    );
    await run('variant', 'remove', 'pi-9', 'attic');
    await expect(run('variant', 'remove', 'pi-9', 'attic')).rejects.toThrow(/no variant/);
  });

  it('edit a component', async () => {
    const { componentId } = await owner.client.attachComponent({
      params: { id },
      body: { componentType: 'cpu' },
    });
    await run('component', 'edit', id, String(componentId), '--name', 'Heart');
    expect(await run('component', 'list', id)).toContain('Heart');
    await expect(run('component', 'edit', id, String(componentId))).rejects.toThrow(/--name or --config/);
    expect(await run('component', 'types')).toContain('soil-moisture');
  });
});

describe('ares alerts', () => {
  it('are listed and resolved', async () => {
    expect(await run('alerts')).toBe('No alerts.');
    const { id: alertId } = await world.database.db
      .insertInto('alerts')
      .values({ kind: 'BROKER_SUSPECTED', detail: '{}' })
      .returning('id')
      .executeTakeFirstOrThrow();
    expect(await run('alerts', 'list', '--kind', 'BROKER_SUSPECTED')).toContain(String(alertId));
    await run('alerts', 'resolve', String(alertId), '--how', 'it was the network');
    expect(await run('alerts')).toBe('No alerts.');
    expect(await run('alerts', 'list', '--all')).toContain('it was the network');
  });
});

describe('ares roles', () => {
  it('prints the table without a cloud', async () => {
    expect(await run('roles')).toContain('| `ownerOnly` |');
    expect(await json('roles')).toHaveProperty('policies.owner.allows');
  });
});
