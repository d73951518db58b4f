import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { seededRandom } from '../../support/random.ts';
import { type DataDisk, makeDataDisk } from '../data-disk.ts';
import { Vm } from '../vm.ts';

const folder = mkdtempSync(join(tmpdir(), 'ares-lab-disk-'));
const random = seededRandom();
let disk: DataDisk;

beforeAll(async () => {
  console.log(`seed ${random.seed}`);
  disk = await makeDataDisk(folder);
});

afterAll(async () => {
  await disk.close();
  rmSync(folder, { recursive: true });
});

/** Writes as the script says, pulls the plug, and lists the files that are there after the next mount. */
async function afterCut(script: string): Promise<string> {
  await using vm = await Vm.start(inject('labMachine'));
  await disk.mount(vm, '/data');
  await vm.sh(script);
  await disk.pullPlug(vm, 'drop', random);
  await disk.check();
  await using next = await Vm.start(inject('labMachine'));
  await disk.mount(next, '/data');
  return await next.sh('cd /data && for file in [a-k]*; do echo "$file $(cat "$file")"; done');
}

describe('a disk that loses its cache with the power', () => {
  it('keeps what was synced, and nothing that only was written', async () => {
    const left = await afterCut(`
      echo kept >/data/kept && sync /data/kept /data && sync -f /data
      echo lost >/data/lost && mv /data/kept /data/gone`);
    expect(left).toBe('kept kept\n');
  });

  it('keeps what was written with a sync of each write', async () => {
    const left = await afterCut(`
      rm -f /data/kept
      dd if=/dev/zero of=/data/big bs=1M count=4 oflag=sync 2>/dev/null && echo "4" >/data/g && rm /data/big
      sync -f /data`);
    expect(left).toBe('g 4\n');
  });
});
