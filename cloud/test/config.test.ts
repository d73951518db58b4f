import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, demoConfig, readConfig } from '../src/config.ts';

const file = (content: string) => {
  const path = join(mkdtempSync(join(tmpdir(), 'ares-config-')), 'config.json');
  writeFileSync(path, content);
  return path;
};
const refused = (role: string, environment: Record<string, string>) => {
  try {
    readConfig(role, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
};

describe('the configuration', () => {
  it('runs everything on this machine when nothing is set', () => {
    const config = readConfig('all', {});
    expect(config).toMatchObject({
      api: { host: '127.0.0.1', port: 8080 },
      devices: { bind: '127.0.0.1', host: '127.0.0.1', port: undefined },
      databaseUrl: undefined,
    });
    expect([...config.roles]).toEqual(['api', 'ingest', 'broker', 'jobs']);
    expect(config.home).toMatch(/\.ares\/cloud$/);
  });

  it('is the one of npm start but for home, port and log', () => {
    const { home: _, api: __, log: ___, ...demo } = demoConfig({ home: '.ares', port: 1 });
    const { home: ____, api: _____, log: ______, ...all } = readConfig('all', {});
    expect(demo).toEqual(all);
  });

  it('takes the file, and the environment over it', () => {
    const path = file('{"PORT":9000,"ARES_DEVICE_HOST":"ares.example"}');
    const config = readConfig('all', { ARES_CONFIG: path, PORT: '9001' });
    expect(config.api.port).toBe(9001);
    expect(config.devices).toMatchObject({ host: 'ares.example', bind: '0.0.0.0' });
    expect(config.mqtt.host).toBe('ares.example');
  });

  it('takes another life of the certificates of devices, of at most a day', () => {
    expect(readConfig('all', {}).certificateMs).toBeUndefined();
    expect(readConfig('all', { ARES_CERTIFICATE_SECONDS: '3600' }).certificateMs).toBe(3_600_000);
    for (const wrong of ['5', '86401', 'a day'])
      expect(refused('all', { ARES_CERTIFICATE_SECONDS: wrong })).toContain(
        'ARES_CERTIFICATE_SECONDS must be',
      );
  });

  it('takes a Mosquitto beside the cloud, and says what is wrong with it', () => {
    expect(readConfig('all', {}).mosquitto).toBeUndefined();
    const config = readConfig('all', {
      ARES_HOME: '/srv/ares',
      ARES_BROKER: 'mosquitto',
      ARES_MQTT_PORT: '8883',
    });
    expect(config.mosquitto).toEqual({
      folder: '/srv/ares/cloud/mosquitto',
      host: '127.0.0.1',
      services: { bind: '127.0.0.1', port: 8884 },
    });
    expect(refused('all', { ARES_BROKER: 'rabbit' })).toContain('ARES_BROKER must be aedes or mosquitto');
    expect(refused('all', { ARES_BROKER: 'mosquitto', ARES_MQTT_PORT: '8884' })).toContain('two listeners');
  });

  it('takes one Redis or several nodes of a cluster, and says what is wrong with it', () => {
    expect(readConfig('all', {}).redisUrl).toBeUndefined();
    const cluster = 'redis://10.0.0.1:7000,redis://10.0.0.2:7000';
    expect(readConfig('all', { REDIS_URL: cluster, ARES_STATE_IDLE_SECONDS: '3600' })).toMatchObject({
      redisUrl: cluster,
      stateIdleMs: 3_600_000,
    });
    expect(refused('all', { REDIS_URL: 'localhost:6379' })).toContain('REDIS_URL must begin with redis://');
    expect(refused('all', { ARES_STATE_IDLE_SECONDS: '1' })).toContain('ARES_STATE_IDLE_SECONDS must be');
  });

  it('trusts the proxies that it names, and none else', () => {
    expect(readConfig('all', {}).api.trustedProxies).toEqual([]);
    const config = readConfig('all', { ARES_TRUSTED_PROXIES: '10.0.0.1, ::1' });
    expect(config.api.trustedProxies).toEqual(['10.0.0.1', '::1']);
    expect(refused('all', { ARES_TRUSTED_PROXIES: 'nginx' })).toContain('must be IP addresses');
  });

  it('runs one role or several with a database of their own', () => {
    const { roles } = readConfig('api,jobs', { DATABASE_URL: 'postgres://u:p@db/ares?sslmode=verify-full' });
    expect([...roles]).toEqual(['api', 'jobs']);
  });
});

describe('refusing a configuration', () => {
  it('names every mistake at once', () => {
    const message = refused('ingest,smtp', {
      PORT: '99999',
      ARES_LOG_LEVEL: 'loud',
      ARES_DEVICE_HOST: 'not a host',
      ARES_CONFIG: file('{"PROT":1}'),
    });
    for (const part of [
      /no role "smtp"/,
      /PORT must be 1 to 65535/,
      /ARES_LOG_LEVEL/,
      /ARES_DEVICE_HOST must be/,
      /PROT/,
    ]) {
      expect(message).toMatch(part);
    }
  });

  it.each([
    ['', 'no role ""'],
    ['api', 'DATABASE_URL is needed for api'],
  ])('role "%s"', (role, words) => expect(refused(role, {})).toContain(words));

  it.each([
    [{ PORT: '80a' }, 'PORT'],
    [{ PORT: '0' }, 'PORT'],
    [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL must begin with postgres://'],
    [{ ARES_CONFIG: '/nowhere.json' }, 'cannot be read'],
    [{ ARES_CONFIG: file('[]') }, 'one JSON object'],
    [{ ARES_CONFIG: file('{') }, 'cannot be read'],
  ])('%j', (environment, words) =>
    expect(refused('all', environment as Record<string, string>)).toContain(words),
  );

  it('keeps readings as long as it is told, and minutes not shorter than what they are made from', () => {
    expect(readConfig('all', {}).retention).toEqual({ rawDays: 7, minuteDays: 90 });
    const days = { ARES_RAW_DAYS: '30', ARES_MINUTE_DAYS: '30', ARES_HOUR_DAYS: '1000' };
    expect(readConfig('all', days).retention).toEqual({ rawDays: 30, minuteDays: 30, hourDays: 1_000 });
    expect(() => readConfig('all', { ARES_RAW_DAYS: '91' })).toThrow('ARES_MINUTE_DAYS');
    expect(() => readConfig('all', { ARES_RAW_DAYS: '0' })).toThrow('ARES_RAW_DAYS must be 1 to 36500');
  });
});
