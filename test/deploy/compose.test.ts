import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../cloud/src/config.ts';
import { readText, root } from '../support/repository.ts';

interface Mount {
  readonly source: string;
  readonly target: string;
  readonly read_only?: boolean;
  readonly volume?: { readonly subpath?: string };
}
interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly volumes?: readonly (string | Mount)[];
  readonly ports?: readonly string[];
  readonly networks?: unknown;
  readonly healthcheck?: object;
  readonly user?: string;
}
interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
}

const text = readText('deploy/compose.yaml');
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);
const secrets = {
  ARES_PUBLIC_HOST: 'ares.example.org',
  POSTGRES_PASSWORD: 'kV2mN8qL4xT7kV2mN8qL4xT7',
  REDIS_PASSWORD: 'q8L4xT7kV2mNkV2mN8qL4xT7',
};
/** As Compose does it: `${NAME:-default}`, `${NAME:?why}`, and `$$` for `$`. */
const filledIn = (value: string) =>
  value.replace(/\$\$|\$\{(\w+)(?::[-?]([^}]*))?\}/g, (whole, name?: string, otherwise = '') =>
    whole === '$$' ? '$' : (secrets[name as keyof typeof secrets] ?? otherwise),
  );
const mounts = ({ volumes = [] }: ComposeService): readonly Mount[] =>
  volumes.map((volume) => {
    if (typeof volume !== 'string') return volume;
    const [source, target, mode] = volume.split(':');
    return { source: source!, target: target!, read_only: mode === 'ro' };
  });
const startsAfter = (name: string): ReadonlySet<string> => {
  const before = Object.keys(compose.services[name]?.depends_on ?? {});
  return new Set([...before, ...before.flatMap((other) => [...startsAfter(other)])]);
};

describe('the compose file', () => {
  it.each(services)(
    '%s names one version of its image, and waits only for what there is',
    (name, service) => {
      expect(service.image).toMatch(/:[^:]*\d+\.\d+/);
      expect(service.image).not.toMatch(/latest/);
      for (const other of startsAfter(name)) expect(Object.keys(compose.services), name).toContain(other);
      for (const { source } of mounts(service).filter(({ source }) => !source.startsWith('.')))
        expect(Object.keys(compose.volumes)).toContain(source);
    },
  );

  it('makes certificates before anything reads them, and lets nobody else write them', () => {
    for (const [name, service] of services) {
      const tls = mounts(service).filter(({ source }) => source === 'tls');
      if (name === 'certificates') continue;
      for (const mount of tls) expect(mount.read_only, name).toBe(true);
      if (tls.length > 0) expect([...startsAfter(name)], name).toContain('certificates');
    }
  });

  it('shows each server beside the cloud only its own key', () => {
    for (const name of ['postgres', 'redis', 'nginx'])
      expect(
        mounts(compose.services[name]!)
          .filter(({ source }) => source === 'tls')
          .map(({ volume }) => volume?.subpath),
      ).toEqual([name]);
  });

  it.each(['api', 'ingest', 'jobs', 'broker'])('gives %s a configuration that production accepts', (role) => {
    const { command, environment = {} } = compose.services[role]!;
    expect(command).toEqual(['cloud/dist/main.js', role]);
    const given = Object.fromEntries(
      Object.entries(environment).map(([key, value]) => [key, filledIn(String(value))]),
    );
    const config = readConfig(role, { ARES_HOME: '/var/lib/ares', ...given });
    expect(config.devices).toMatchObject({ host: 'ares.example.org', port: 8443 });
    expect(config.internal).toEqual({ bind: '0.0.0.0', port: 9090 });
  });

  it('publishes what devices and people need, and nothing else', () => {
    const published = services.flatMap(([name, { ports = [] }]) =>
      ports.map((port) => `${name} ${port.split(':').at(-1)}`),
    );
    expect(published.toSorted()).toEqual(['api 8443', 'mosquitto 8883', 'nginx 443', 'nginx 80']);
    for (const name of ['postgres', 'redis']) expect(compose.services[name]!.networks).toEqual(['inner']);
    expect(compose.networks['inner']?.internal).toBe(true);
  });

  it('API-08 holds no secret, and does not start without those that were drawn', () => {
    const asked = [...text.matchAll(/(\w*PASSWORD\w*): (.*)$/gm)].map((match) => match[2]!);
    for (const value of asked) expect(value).toMatch(/^\$\{\w+:\?/);
    expect(text).toContain('${POSTGRES_PASSWORD:?');
    expect(text).toContain('${REDIS_PASSWORD:?');
  });
});

describe('deploy/compose-init', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ares-compose-'));
  cpSync(join(root, 'deploy/compose-init'), join(folder, 'compose-init'));
  const run = (...args: string[]) =>
    spawnSync(join(folder, 'compose-init'), args, { encoding: 'utf8', timeout: 20_000 });
  const read = (name: string) => readFileSync(join(folder, 'secrets', name), 'utf8');

  it('says what it needs', () => {
    for (const args of [[], ['a b'], ['$(id)']]) expect(run(...args).status).toBe(2);
  });

  it.skipIf(process.getuid?.() !== 0)(
    'draws secrets once, for their owner only (skipped unless root)',
    () => {
      expect(run('ares.example.org')).toMatchObject({ status: 0, stderr: '' });
      const [key, env] = [read('ares-key'), read('compose.env')];
      expect(Buffer.from(key, 'base64url')).toHaveLength(32);
      expect(env).toMatch(/^ARES_PUBLIC_HOST=ares\.example\.org$/m);
      for (const name of ['POSTGRES_PASSWORD', 'REDIS_PASSWORD'])
        expect(env).toMatch(new RegExp(`^${name}=[\\w-]{43}$`, 'm'));
      expect(statSync(join(folder, 'secrets/ares-key'))).toMatchObject({ uid: 1000, mode: 0o100600 });
      expect(statSync(join(folder, 'secrets/compose.env')).mode).toBe(0o100600);
      run('other.example.org');
      expect([read('ares-key'), read('compose.env')]).toEqual([key, env]);
    },
  );
});
