import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { usePostgres } from '../../../test/support/postgres.ts';
import { openPgDatabase } from '../../src/adapters/pg-database.ts';
import { silentLogger, until } from '../support/quiet.ts';

/** A network in front of the database that can swallow everything without closing a connection. */
async function network(to: { host: string; port: number }) {
  const links = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    const far = createConnection(join(to.host, `.s.PGSQL.${to.port}`));
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => into.destroy());
      from.on('close', () => into.destroy());
      from.pipe(into);
    }
    links.add([near, far]);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    /** Connections that exist now carry nothing any more; new ones do. */
    swallow() {
      for (const [near, far] of links) {
        near.unpipe();
        far.unpipe();
        near.resume();
        far.resume();
      }
    },
    close: () => {
      for (const [near, far] of links) for (const socket of [near, far]) socket.destroy();
      server.close();
    },
  };
}

describe('notices of the database', () => {
  it('NET-04 are heard again, and the loss is told, when the network drops the connection without a word', async () => {
    const connection = await usePostgres();
    const between = await network(connection);
    const { port } = between;
    const through = openPgDatabase({
      connection: { ...connection, host: '127.0.0.1', port },
      log: silentLogger,
      beatMs: 100,
    });
    const direct = openPgDatabase({ connection, log: silentLogger });
    onTestFinished(async () => {
      between.close();
      await through.close();
      await direct.close();
    });
    const heard: string[] = [];
    let missed = 0;
    through.listen(
      'device',
      ({ deviceUuid }) => heard.push(deviceUuid),
      () => {
        missed += 1;
      },
    );
    await until(() => missed === 1, 'the first connection');
    await direct.notify(direct.db, 'device', { deviceUuid: 'before' });
    await until(() => heard.length === 1, 'the first notice');

    between.swallow();
    await direct.notify(direct.db, 'device', { deviceUuid: 'lost' });
    await until(() => missed === 2, 'the loss');
    await direct.notify(direct.db, 'device', { deviceUuid: 'after' });
    await until(() => heard.length === 2, 'the next notice');
    expect(heard).toEqual(['before', 'after']);
  });
});
