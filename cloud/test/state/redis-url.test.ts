import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../src/state/redis-url.ts';

describe('REDIS_URL', () => {
  it('names one server, with its database', () => {
    expect(parseRedisUrl('redis://localhost')).toEqual({
      nodes: [{ host: 'localhost', port: 6379 }],
      username: undefined,
      password: undefined,
      database: 0,
    });
    expect(parseRedisUrl('redis://[::1]:7000/3')).toMatchObject({
      nodes: [{ host: '::1', port: 7000 }],
      database: 3,
    });
  });

  it('names user, password and TLS with a CA of its own', () => {
    expect(parseRedisUrl('rediss://ares:p%40ss@redis.example:6380?cacert=/etc/ca.pem')).toEqual({
      nodes: [{ host: 'redis.example', port: 6380 }],
      username: 'ares',
      password: 'p@ss',
      database: 0,
      tls: { rootFile: '/etc/ca.pem' },
    });
  });

  it('names nodes of a cluster, joined by commas', () => {
    const { nodes } = parseRedisUrl('redis://10.0.0.1:7000, redis://10.0.0.2:7001');
    expect(nodes).toEqual([
      { host: '10.0.0.1', port: 7000 },
      { host: '10.0.0.2', port: 7001 },
    ]);
  });

  it.each([
    ['localhost:6379', 'must begin with redis://'],
    ['http://localhost', 'must begin with redis://'],
    ['redis://localhost?cacert=/x', 'needs rediss://'],
    ['rediss://localhost?verify=no', 'verify, which Ares does not know'],
    ['redis://localhost/live', 'the number of a database'],
    ['redis://:secret@redis.example', 'in the clear'],
    ['redis://10.0.0.1/1,redis://10.0.0.2/1', 'a cluster has only 0'],
    ['rediss://:a@x,rediss://:b@y', 'the same user, password and TLS'],
    ['redis://a,', 'must begin with redis://'],
  ])('refuses %s: %s', (text, why) => {
    expect(() => parseRedisUrl(text)).toThrow(why);
  });
});
