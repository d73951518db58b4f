import { once } from 'node:events';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertFree, keepPorts } from '../../src/adapters/kept-ports.ts';

const folder = () => mkdtemp(join(tmpdir(), 'ares-ports-'));

describe('kept ports', () => {
  it('are chosen once, and the same at every start and in every process', async () => {
    const home = await folder();
    const all = await Promise.all(Array.from({ length: 8 }, () => keepPorts(home)));
    expect(new Set(all.map((ports) => JSON.stringify(ports))).size).toBe(1);
    expect(await keepPorts(home)).toEqual(all[0]);
    expect(all[0]!.devices).not.toBe(all[0]!.mqtt);
  });

  it('lie below what Linux gives to outgoing connections', async () => {
    const { devices, mqtt } = await keepPorts(await folder());
    for (const port of [devices, mqtt]) expect(port).toBeLessThan(32_768);
  });

  it.each(['', '{}', '{"devices":1,"mqtt":"x"}', '{"devices":1,"mqtt":70000}'])(
    'are not drawn anew over the damaged file "%s"',
    async (content) => {
      const home = await folder();
      await writeFile(join(home, 'ports.json'), content);
      await expect(keepPorts(home)).rejects.toMatchObject({ name: 'PortError', code: 'PORTS_DAMAGED' });
      expect(await readFile(join(home, 'ports.json'), 'utf8')).toBe(content);
    },
  );
});

describe('a port that is taken', () => {
  it('is refused in one line that says what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(assertFree('127.0.0.1', port, 'API')).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: `Port ${port} on 127.0.0.1 (API) is taken by another program: end that program first, or choose another port with PORT=….`,
    });
    other.close();
    await once(other, 'close');
    await assertFree('127.0.0.1', port, 'API');
  });
});
