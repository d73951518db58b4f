import { readFileSync } from 'node:fs';
import { deviceRights } from '@ares/protocol';
import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { brokerDifferences, differencesTable } from '../../../test/support/brokers.ts';
import { mosquittoConf } from '../../src/adapters/mosquitto-conf.ts';
import { deviceAcl, serviceAcl } from '../../src/broker/acl.ts';
import { serviceNames, serviceRights } from '../../src/broker/service-rights.ts';
import { aclCommands } from '../../src/cli/commands/acl.ts';
import type { CliContext } from '../../src/cli/program.ts';

const page = (name: string) =>
  readFileSync(new URL(`../../../deploy/mosquitto/${name}`, import.meta.url), 'utf8');

describe('the rules for Mosquitto', () => {
  it('give a device the rights that the protocol gives it, by the name in its certificate', () => {
    const uuid = '6a7c4c5e-7f4d-4c52-8b0e-0a4c4d1f2a33';
    const { publish, subscribe } = deviceRights(uuid);
    const patterns = deviceAcl()
      .split('\n')
      .filter((line) => line.startsWith('pattern '));
    expect(patterns.map((line) => line.replaceAll('%u', uuid))).toEqual([
      ...publish.map((topic) => `pattern write ${topic}`),
      ...subscribe.map((topic) => `pattern read ${topic}`),
    ]);
    // Only as a whole level: `x%u` would match nobody.
    for (const line of patterns) expect(line.split(/[ /]/)).toContain('%u');
  });

  it('name no service at the listener for devices but the one that directs the broker', () => {
    expect(deviceAcl().match(/^user .*/gm)).toEqual(['user ares-broker']);
    expect(serviceAcl().match(/^user .*/gm)).toEqual(serviceNames.map((name) => `user ${name}`));
    expect(serviceAcl()).not.toContain('$CONTROL');
  });

  it('let only the API order a reset, and only who directs the broker change rights', () => {
    const may = (text: string) =>
      Object.entries(serviceRights)
        .filter(([, { publish }]) => publish.some((topic) => topic.startsWith(text)))
        .map(([name]) => name);
    expect(may('system/')).toEqual(['ares-api', 'ares-cloud']);
    expect(may('$CONTROL')).toEqual(['ares-broker']);
  });
});

describe('ares acl generate', () => {
  afterEach(() => vi.restoreAllMocks());
  const run = async (json: boolean, ...args: string[]) => {
    let text = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      text += String(chunk);
      return true;
    });
    vi.spyOn(console, 'log').mockImplementation((line) => {
      text += line;
    });
    const program = new Command().exitOverride();
    aclCommands(program, { json: () => json } as unknown as CliContext);
    await program.parseAsync(['acl', 'generate', ...args], { from: 'user' });
    return text;
  };

  it('prints both files, or one', async () => {
    expect(await run(false)).toBe(`${deviceAcl()}\n${serviceAcl()}`);
    expect(await run(false, '--listener', 'services')).toBe(serviceAcl());
    expect(JSON.parse(await run(true))).toEqual({ devices: deviceAcl(), services: serviceAcl() });
  });

  it('says which listeners there are', async () => {
    await expect(run(false, '--listener', 'apps')).rejects.toThrow('devices or services');
  });
});

describe('the page on Mosquitto', () => {
  it('shows the configuration that is written', () => {
    const settings = {
      folder: '/var/lib/ares/cloud/mosquitto',
      user: 'ares',
      devices: { bind: '0.0.0.0', port: 8883 },
      services: { bind: '127.0.0.1', port: 8884 },
    };
    expect(page('mosquitto.conf')).toBe(mosquittoConf(settings));
  });

  it('has the table of what the brokers do differently', () => {
    expect(page('README.md')).toContain(differencesTable());
    expect(Object.keys(brokerDifferences).length).toBeGreaterThan(10);
  });
});
