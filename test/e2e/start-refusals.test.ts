import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort, processesOf, startAres, temporaryHome } from '../support/ares-process.ts';

const homes: ReturnType<typeof temporaryHome>[] = [];
const newHome = () => {
  const home = temporaryHome();
  homes.push(home);
  return home.path;
};
afterEach(() => {
  for (const home of homes.splice(0)) home.remove();
});

async function refusal(home: string, port: number): Promise<string> {
  const program = startAres({ home, port });
  expect(await program.exited).toBe(1);
  expect(processesOf(home)).toEqual([]);
  const complaint = program
    .output()
    .split('\n')
    .filter((line) => line !== '' && !/^[✓…]|^Ares, everything/.test(line));
  expect(complaint, program.output()).toHaveLength(1);
  return complaint[0]!;
}

describe('npm start where it cannot', () => {
  it('says that the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    expect(await refusal(newHome(), port)).toMatch(new RegExp(`${port}.*(taken|in use)`));
    server.close();
  });

  it('says that PORT is no port', async () => {
    expect(await refusal(newHome(), 99_999)).toContain('PORT=99999 is no port');
  });

  it('says that the key of the sealed data is gone, and touches nothing', async () => {
    const home = newHome();
    mkdirSync(join(home, 'cloud', 'secrets'), { recursive: true, mode: 0o700 });
    writeFileSync(join(home, 'cloud', 'secrets', 'command-signing.sealed'), 'x');
    const program = startAres({ home, port: await freePort() });
    const code = await program.exited;
    expect(code, program.output()).toBe(1);
  });

  it.skipIf(process.getuid?.() !== 0)(
    'says that the disk is full, and starts when there is room again (root only)',
    async () => {
      const home = newHome();
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=0700', 'tmpfs', home]);
      try {
        expect(await refusal(home, await freePort())).toMatch(/full|space/i);
        execFileSync('mount', ['-o', 'remount,size=400m', home]);
        const program = startAres({ home, port: await freePort() });
        await program.sees(/^ready: /m);
        program.child.kill('SIGTERM');
        expect(await program.exited).toBe(0);
      } finally {
        execFileSync('umount', ['-l', home]);
      }
    },
  );
});
