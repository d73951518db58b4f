import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createMosquittoApps } from '../../src/adapters/mosquitto-apps.ts';
import type { ControlAnswer } from '../../src/adapters/mosquitto-control.ts';

describe('the rights of apps', () => {
  it('are told in packets that the broker takes, however long the e-mails are', async () => {
    const sizes: number[] = [];
    const made = new Set<unknown>();
    const apps = createMosquittoApps({
      async run(...commands) {
        sizes.push(Buffer.byteLength(JSON.stringify(commands)));
        for (const { command, username } of commands) if (command === 'createClient') made.add(username);
        return commands.map(({ command }): ControlAnswer => ({ command }));
      },
    });
    // Each letter takes nine bytes of a topic.
    const wanted = new Map(
      Array.from({ length: 60 }, (_, i) => [
        randomUUID() as string,
        { userEmail: `${i}@${'漢'.repeat(248)}`, serial: String(i) },
      ]),
    );
    await apps.sync(wanted);
    expect(made).toEqual(new Set(wanted.keys()));
    expect(Math.max(...sizes)).toBeLessThan(33_000);
  });
});

describe('the names of apps', () => {
  it('are known while the broker is told of others, and when it came back', async () => {
    let gate: Promise<void> | undefined;
    const apps = createMosquittoApps({
      async run(...commands) {
        await gate;
        return commands.map(({ command }): ControlAnswer => ({ command, data: { roles: [], clients: [] } }));
      },
    });
    const [first, second] = [randomUUID(), randomUUID()];
    const rights = (...names: string[]) =>
      new Map(names.map((name) => [name, { userEmail: 'ada@example.org', serial: '1' }]));
    await apps.sync(rights(first));
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    const syncing = apps.sync(rights(second));
    expect([apps.has(first), apps.has(second)]).toEqual([true, true]);
    resolve();
    await syncing;
    expect([apps.has(first), apps.has(second)]).toEqual([false, true]);
    apps.forget();
    expect(apps.has(second)).toBe(true);
  });
});
