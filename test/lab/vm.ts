import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { command } from './command.ts';
import { type LabPort, openLabPort } from './lab-port.ts';
import { isRunning } from './layers/layer.ts';
import { type Machine, qemuCommand } from './qemu.ts';
import { openQmp } from './qmp.ts';

/** Where a guest sees the folder that it shares with the host. */
export const GUEST_SHARE = '/run/lab/share';

export interface VmOptions {
  /** Boots instead of going on from where the machine was saved: half a minute instead of three seconds. */
  readonly cold?: boolean;
  /** Loopback ports of the host (the cloud's). The guest reaches each at its own 127.0.0.1, and no other network. */
  readonly ports?: readonly number[];
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Emulation is slow and other work shares the machine: times are for hanging, not for measuring. */
const PATIENCE_MS = 180_000;

const FOLDER_PREFIX = 'ares-lab-';

/** Removes folders of machines whose test run was killed: half a gigabyte each. Those of `ARES_KEEP=1` stay. */
export function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${FOLDER_PREFIX}(\\d+)-`).exec(name)?.[1];
    const folder = join(tmpdir(), name);
    if (pid === undefined || isRunning(Number(pid)) || existsSync(join(folder, 'keep'))) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The machine as {@link Vm.saveTo} saves it in a folder; what it was started from stays needed. */
export function savedMachine({ architecture, image }: Machine, folder: string): Required<Machine> {
  return { architecture, image, disk: join(folder, 'disk.qcow2'), memory: join(folder, 'memory') };
}

/** A virtual machine on a disk of its own. Dispose it: it takes half a gigabyte of memory. */
export class Vm {
  /** Of the host; the guest sees it as {@link GUEST_SHARE}. */
  readonly share: string;
  /** Socket of the host that is the guest's `/dev/virtio-ports/phone.0`. */
  readonly phoneSocket: string;
  readonly #folder: string;
  readonly #machine: Machine;
  readonly #options: VmOptions;
  #qemu: { readonly child: ChildProcess; readonly ended: Promise<void>; readonly port: LabPort } | undefined;
  #failed: Promise<never> = Promise.reject(new Error('not started'));
  #jobs = 0;

  private constructor(machine: Machine, options: VmOptions) {
    this.#failed.catch(() => undefined);
    this.#machine = machine;
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
    this.share = join(this.#folder, 'share');
    this.phoneSocket = join(this.#folder, 'phone.sock');
    mkdirSync(join(this.share, 'jobs'), { recursive: true });
  }

  static async start(machine: Machine, options: VmOptions = {}): Promise<Vm> {
    const vm = new Vm(machine, options);
    try {
      const format = machine.disk.endsWith('.qcow2') ? 'qcow2' : 'raw';
      await command('qemu-img', ['create', '-qf', 'qcow2', '-b', machine.disk, '-F', format, vm.#disk]);
      await vm.#boot(options.cold === true ? undefined : machine.memory);
      return vm;
    } catch (error) {
      await vm.stop();
      throw error;
    }
  }

  get #disk(): string {
    return join(this.#folder, 'disk.qcow2');
  }

  async #boot(memory: string | undefined): Promise<void> {
    for (const name of ['lab.sock', 'phone.sock', 'qmp.sock'])
      rmSync(join(this.#folder, name), { force: true });
    const [program, ...args] = qemuCommand({
      machine: this.#machine,
      folder: this.#folder,
      disk: this.#disk,
      memory,
      ports: this.#options.ports ?? [],
    });
    const log = openSync(join(this.#folder, 'qemu.log'), 'a');
    const child = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    this.#failed = ended.then(() => {
      throw new Error(`the virtual machine ended\n${this.log()}`);
    });
    this.#failed.catch(() => undefined);
    const port = await openLabPort(join(this.#folder, 'lab.sock'), this.#failed);
    this.#qemu = { child, ended, port };
    await this.mount();
    await this.#openPorts();
  }

  /** Gives the guest the shared folder, the time, and randomness that other copies of its machine do not have. */
  async mount(): Promise<void> {
    const time = (Date.now() / 1_000).toFixed(3);
    await this.#ask(`mount ${time} ${randomBytes(64).toString('hex')}`, 'mounted', PATIENCE_MS);
  }

  async #ask(line: string, answer: string, timeoutMs: number): Promise<void> {
    const port = this.#qemu?.port;
    if (port === undefined) throw new Error('the virtual machine is stopped');
    try {
      await port.ask(line, answer, timeoutMs);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.log()}`, { cause: error });
    }
  }

  /** Sends the guest's own loopback ports to those of the host. */
  async #openPorts(): Promise<void> {
    const ports = this.#options.ports ?? [];
    if (ports.length === 0) return;
    await this.sh(`
      sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.eth0.route_localnet=1
      nft -f - <<'END'
      table ip lab {
        chain out { type nat hook output priority -100; ip daddr 127.0.0.1 tcp dport { ${ports.join(', ')} } dnat to 10.0.2.100; }
        chain post { type nat hook postrouting priority 100; oifname "eth0" ip saddr 127.0.0.1 masquerade; }
      }
END`);
  }

  /** Runs a shell script as root of the guest. Several may run at once. @throws when it takes longer */
  async run(script: string, options: { readonly timeoutMs?: number } = {}): Promise<Ran> {
    this.#jobs += 1;
    const id = String(this.#jobs);
    const folder = join(this.share, 'jobs', id);
    mkdirSync(folder);
    writeFileSync(join(folder, 'script'), script);
    const read = (name: string) =>
      existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '';
    try {
      await this.#ask(`run ${id}`, `done ${id}`, options.timeoutMs ?? PATIENCE_MS);
    } catch (error) {
      throw new Error(`${(error as Error).message}\noutput so far:\n${read('out')}${read('err')}`, {
        cause: error,
      });
    }
    return { status: Number(read('status')), stdout: read('out'), stderr: read('err') };
  }

  /** As {@link run}, for scripts that must succeed: gives what they print. @throws with all output otherwise */
  async sh(script: string, options: { readonly timeoutMs?: number } = {}): Promise<string> {
    const ran = await this.run(`set -e\n${script}`, options);
    if (ran.status !== 0)
      throw new Error(`status ${ran.status} of: ${script.trim()}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  }

  /** Copies a file or folder of the host into the guest. */
  async copyIn(file: string, guestPath: string): Promise<void> {
    const name = `in-${this.#jobs}-${basename(file)}`;
    cpSync(file, join(this.share, name), { recursive: true });
    await this.sh(`mkdir -p "$(dirname '${guestPath}')" && cp -a '${GUEST_SHARE}/${name}' '${guestPath}'`);
    rmSync(join(this.share, name), { recursive: true });
  }

  /** What QEMU and the guest's console said, their last 60 lines. */
  log(): string {
    const text = ['qemu.log', 'console.log']
      .map((name) => join(this.#folder, name))
      .map((path) => (existsSync(path) ? readFileSync(path, 'utf8') : ''));
    return text.join('').split('\n').slice(-60).join('\n');
  }

  /** Resolves when the machine has ended by itself, as by `systemctl poweroff` (or `reboot`). */
  async ended(): Promise<void> {
    await this.#qemu?.ended;
    this.#qemu?.port.close();
    this.#qemu = undefined;
  }

  /** The plug is pulled. The disk stays for {@link boot}. */
  async kill(): Promise<void> {
    this.#qemu?.child.kill('SIGKILL');
    await this.ended();
  }

  /** Boots the machine again on the disk as it is, after {@link kill} or {@link ended}. */
  async boot(): Promise<void> {
    await this.#boot(undefined);
  }

  /** A reboot in order, by the guest's own systemd. */
  async reboot(): Promise<void> {
    await this.run('systemd-run -q --on-active=0 systemctl reboot');
    await this.ended();
    await this.boot();
  }

  /** A second disk, `/dev/vdb`, from an NBD server at a socket of the host; needed again after each boot. */
  async attachDisk(nbdSocket: string): Promise<void> {
    const qmp = await openQmp(join(this.#folder, 'qmp.sock'));
    const server = { type: 'unix', path: nbdSocket };
    await qmp.execute('blockdev-add', { driver: 'nbd', 'node-name': 'data', server });
    await qmp.execute('device_add', { driver: 'virtio-blk-pci', drive: 'data', id: 'data' });
    qmp.close();
    await this.sh('for try in $(seq 100); do [ -b /dev/vdb ] && exit 0; sleep 0.1; done; exit 1');
  }

  /** Ends the machine and saves it in a folder, for machines that go on from here: {@link savedMachine}. */
  async saveTo(folder: string): Promise<void> {
    const { disk, memory } = savedMachine(this.#machine, folder);
    await this.#ask('release', 'released', PATIENCE_MS);
    const qmp = await openQmp(join(this.#folder, 'qmp.sock'));
    await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
    await qmp.execute('migrate', { uri: `exec:cat >'${memory}'` });
    for (let status = ''; status !== 'completed'; await wait(50)) {
      ({ status } = (await qmp.execute('query-migrate')) as { status: string });
      if (status === 'failed' || status === 'cancelled') throw new Error(`QEMU could not save: ${status}`);
    }
    qmp.close();
    await this.kill();
    await command('cp', [this.#disk, disk]);
  }

  /** Ends the machine and removes what it had. `ARES_KEEP=1` leaves the folder for a look. */
  async stop(): Promise<void> {
    await this.kill();
    if (process.env['ARES_KEEP'] === undefined) rmSync(this.#folder, { recursive: true, force: true });
    else {
      writeFileSync(join(this.#folder, 'keep'), '');
      console.error(`lab: kept ${this.#folder}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
