import { describe, expect, it } from 'vitest';
import { createLateBrokerLink } from '../../src/adapters/late-broker-link.ts';
import { type BrokerLink, BrokerLinkError } from '../../src/ports/broker-link.ts';
import { silentLogger, until } from '../support/quiet.ts';

function broker() {
  const said: string[] = [];
  const link: BrokerLink = {
    publish: async (topic) => void said.push(`publish ${topic}`),
    async subscribe(filters) {
      said.push(`subscribe ${filters.join()}`);
      return async () => undefined;
    },
    connected: () => true,
    close: async () => void said.push('close'),
  };
  return { link, said };
}
const away = new BrokerLinkError('NOT_CONNECTED', 'no broker');

describe('a link to a broker that is not there yet', () => {
  it('refuses to publish, keeps subscriptions waiting, and works as soon as the broker is there', async () => {
    const { link, said } = broker();
    let tries = 0;
    const late = createLateBrokerLink({
      open: async () => {
        tries += 1;
        if (tries < 3) throw away;
        return link;
      },
      log: silentLogger,
    });
    expect(late.connected()).toBe(false);
    await expect(late.publish('a', 'x')).rejects.toMatchObject({ code: 'NOT_CONNECTED' });
    await late.subscribe(['b/#'], () => undefined);
    expect(late.connected()).toBe(true);
    await late.publish('c', 'x');
    await late.close();
    expect(said).toEqual(['subscribe b/#', 'publish c', 'close']);
  });

  it('stops trying when it is closed, and says so to who waits', async () => {
    let tries = 0;
    const late = createLateBrokerLink({
      open: () => {
        tries += 1;
        return Promise.reject(away);
      },
      log: silentLogger,
    });
    const waiting = late.subscribe(['b'], () => undefined);
    waiting.catch(() => undefined);
    await until(() => tries > 0, 'a first try');
    await late.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    const before = tries;
    await new Promise((next) => setImmediate(next));
    expect(tries).toBe(before);
  });

  it('closes a connection that was made while it was being closed', async () => {
    const { link, said } = broker();
    let made: (link: BrokerLink) => void = () => undefined;
    const late = createLateBrokerLink({
      open: () =>
        new Promise((resolve) => {
          made = resolve;
        }),
      log: silentLogger,
    });
    const closed = late.close();
    made(link);
    await closed;
    expect(said).toEqual(['close']);
  });
});
