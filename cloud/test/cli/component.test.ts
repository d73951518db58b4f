import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { componentCommands } from '../../src/cli/commands/component.ts';
import type { CliContext } from '../../src/cli/program.ts';

/** What the command sends to the cloud. */
async function sent(...args: string[]): Promise<unknown> {
  let body: unknown;
  const deviceUuid = '6a7c4c5e-7f4d-4c52-8b0e-0a4c4d1f2a33';
  const client = {
    listDevices: async () => ({ items: [{ deviceUuid, nickname: null }], nextCursor: null }),
    attachComponent: async (request: { body: unknown }) => {
      body = request.body;
      return { componentId: 1, componentType: 'soil-moisture' };
    },
  };
  const context = { json: () => true, signIn: async () => ({ client }) } as unknown as CliContext;
  const program = new Command().exitOverride();
  componentCommands(program, context);
  await program.parseAsync(['component', 'add', '6a7c', 'soil-moisture', ...args], { from: 'user' });
  return body;
}

describe('ares component add', () => {
  it('sends pins and the settings of the driver', async () => {
    expect(await sent('--pin', 'line=17', '--config', '{"channel":0}')).toEqual({
      componentType: 'soil-moisture',
      pins: { line: 17 },
      config: { channel: 0 },
    });
    expect(await sent()).toEqual({ componentType: 'soil-moisture', pins: {}, config: {} });
  });

  it.each(['{', '[]', '7', 'channel=0'])('says how to write settings that are %s', async (text) => {
    await expect(sent('--config', text)).rejects.toThrow(`${text} is no settings. Write one JSON object`);
  });
});
