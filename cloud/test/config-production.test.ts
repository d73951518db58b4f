import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../src/config.ts';

const good = {
  APP_ENV: 'prod',
  ARES_HOME: '/srv/ares',
  ARES_KEY_FILE: '/run/secrets/ares-key',
  ARES_DEVICE_HOST: 'devices.example.org',
  DATABASE_URL: 'postgres://ares:kV2mN8qL4xT7@db.example.org/ares?sslmode=verify-full',
  REDIS_URL: 'rediss://:kV2mN8qL4xT7@redis.example.org',
};
const mistakes = (changes: Record<string, string>, role = 'api'): string => {
  try {
    readConfig(role, { ...good, ...changes });
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
};

describe('API-08 in production', () => {
  it('starts with secrets of its own and verified connections', () => {
    expect(readConfig('api', good)).toMatchObject({ keyFile: '/run/secrets/ares-key' });
  });

  it.each([
    ['a certificate of anybody', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 'NODE_TLS_REJECT_UNAUTHORIZED'],
    ['no key file', { ARES_KEY_FILE: '' }, 'ARES_KEY_FILE is missing'],
    ['the key beside what it seals', { ARES_KEY_FILE: '/srv/ares/cloud/key' }, 'ARES_KEY_FILE lies in'],
    ['no database', { DATABASE_URL: '' }, 'DATABASE_URL'],
    [
      'a database anybody may read along',
      { DATABASE_URL: 'postgres://ares:kV2mN8qL4xT7@db.example.org/ares?sslmode=disable' },
      'sslmode=verify-full',
    ],
    [
      'the password of an example',
      { DATABASE_URL: 'postgres://ares:postgres@db.example.org/ares?sslmode=verify-full' },
      'password of DATABASE_URL',
    ],
    ['no shared state store', { REDIS_URL: '' }, 'REDIS_URL is missing'],
    ['a state store without TLS', { REDIS_URL: 'redis://redis.example.org' }, 'use rediss://'],
    [
      'a state store without a password',
      { REDIS_URL: 'rediss://redis.example.org' },
      'password of REDIS_URL',
    ],
    ['a name that no device reaches', { ARES_DEVICE_HOST: 'localhost' }, 'ARES_DEVICE_HOST'],
  ])('refuses %s', (_what, changes, said) => {
    expect(mistakes(changes)).toContain(said);
  });

  it('names every mistake at once', () => {
    const said = mistakes({ ARES_KEY_FILE: '', REDIS_URL: '', ARES_DEVICE_HOST: '127.0.0.1' });
    expect(said.split('\n')).toHaveLength(4);
  });

  it('does not ask that of somebody who tries it out', () => {
    expect(mistakes({ APP_ENV: 'local', ARES_KEY_FILE: '', REDIS_URL: '' })).toBe('');
  });
});
