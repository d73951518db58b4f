import { describe, expect, it } from 'vitest';
import { clientAddress } from '../../src/http/client-address.ts';
import { httpWorld } from '../support/http-world.ts';

const trusted = new Set(['10.0.0.1', '10.0.0.2']);

describe('who asks', () => {
  it.each([
    ['nobody stands between', '203.0.113.9', '', '203.0.113.9'],
    ['a stranger makes up a proxy', '203.0.113.9', '1.2.3.4', '203.0.113.9'],
    ['a proxy names its client', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['the client made up what the proxy appended to', '10.0.0.1', '1.2.3.4, 203.0.113.9', '203.0.113.9'],
    ['two proxies stand between', '10.0.0.1', '1.2.3.4,203.0.113.9 , 10.0.0.2', '203.0.113.9'],
    ['the proxy asks by itself', '10.0.0.1', '', '10.0.0.1'],
    ['what it names is no address', '10.0.0.1', 'unknown', '10.0.0.1'],
    ['it comes by an IPv6 socket', '::ffff:10.0.0.1', '2001:db8::1', '2001:db8::1'],
  ])('is known when %s', (_, peer, forwardedFor, address) => {
    expect(clientAddress(peer, forwardedFor, trusted)).toBe(address);
  });

  it('is limited for himself behind a proxy, and cannot hide without one', async () => {
    for (const [trustedProxies, last] of [
      [new Set(['127.0.0.1']), 401],
      [new Set<string>(), 429],
    ] as const) {
      const world = await httpWorld({ trustedProxies, limits: { login: { points: 2, seconds: 60 } } });
      const signIn = (address: string) =>
        fetch(`${world.url}/auth/login`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
          body: JSON.stringify({ email: 'a@example.org', password: 'wrong' }),
        }).then(({ status }) => status);
      const same = [await signIn('203.0.113.9'), await signIn('203.0.113.9'), await signIn('203.0.113.9')];
      expect(same).toEqual([401, 401, 429]);
      expect(await signIn('203.0.113.10')).toBe(last);
      await world.close();
    }
  });
});
