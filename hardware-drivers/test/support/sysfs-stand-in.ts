import { existsSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Gpio } from 'onoff';

/** A folder that looks like /sys/class/gpio, with these chips. */
export async function makeSysfs(chips: readonly { label: string; base: number }[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'ares-sysfs-'));
  writeFileSync(join(root, 'export'), '');
  for (const { label, base } of chips) {
    const folder = join(root, `gpiochip${base}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'label'), `${label}\n`);
    writeFileSync(join(folder, 'base'), `${base}\n`);
  }
  return root;
}

/** Does on such a folder what onoff's class does on /sys/class/gpio, which it has written into itself. */
export function onoffOn(root: string, lines: { first: number; count: number }): { Gpio: typeof Gpio } {
  class StandIn {
    readonly #value: string;
    readonly #watchers = new Map<unknown, { close(): void }>();

    constructor(number: number, direction: 'in' | 'high' | 'low') {
      if (number < lines.first || number >= lines.first + lines.count)
        throw Object.assign(new Error('EINVAL: invalid argument, write'), { code: 'EINVAL' });
      const folder = join(root, `gpio${number}`);
      this.#value = join(folder, 'value');
      if (!existsSync(folder)) {
        mkdirSync(folder);
        writeFileSync(this.#value, '0');
      }
      if (direction !== 'in') writeFileSync(this.#value, direction === 'high' ? '1' : '0');
    }

    async read(): Promise<0 | 1> {
      return readFileSync(this.#value, 'latin1')[0] === '1' ? 1 : 0;
    }

    async write(value: 0 | 1): Promise<void> {
      writeFileSync(this.#value, String(value));
    }

    watch(callback: (error: null, value: 0 | 1) => void): void {
      const watcher = watch(this.#value, () => {
        const [text] = readFileSync(this.#value, 'latin1');
        if (text === '0' || text === '1') callback(null, text === '1' ? 1 : 0);
      });
      this.#watchers.set(callback, watcher);
    }

    unwatch(callback: unknown): void {
      this.#watchers.get(callback)?.close();
      this.#watchers.delete(callback);
    }

    unwatchAll(): void {
      for (const callback of [...this.#watchers.keys()]) this.unwatch(callback);
    }

    unexport(): void {}
  }
  return { Gpio: StandIn as unknown as typeof Gpio };
}
