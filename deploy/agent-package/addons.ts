import { cpSync, existsSync, globSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Addon, compileAddon } from './compile-addon.ts';
import { type Architecture, names, PackageError, repository, run } from './tools.ts';

/** A library with native code that the agent may find beside it, with the packages that it needs at run time. */
export interface Library {
  readonly name: string;
  readonly purpose: string;
  /** Package → patterns of its files; package.json and the licence come with each. */
  readonly packages: Readonly<Record<string, readonly string[]>>;
  readonly addon?: Addon;
}

const debug = { debug: ['src/{index,common,node}.js'], ms: ['index.js'] };

/**
 * What is taken, and nothing else of their trees: patch-package, serialport and usb belong to platforms and to
 * adapters (UART, WinUSB) that the agent does not drive; each is loaded only when asked for.
 */
export const libraries: readonly Library[] = [
  {
    name: '@stoprocent/bleno',
    purpose: 'Bluetooth',
    packages: {
      '@stoprocent/bleno': ['index.js', 'lib/*.js', 'lib/{common,hci-socket}/**/*.js*'],
      '@stoprocent/bluetooth-hci-socket': [
        'index.js',
        'lib/{native,unsupported}.js',
        'prebuilds/linux-@ARCH@/*.{glibc,armv8}.node',
      ],
      'node-gyp-build': ['index.js', 'node-gyp-build.js'],
      ...debug,
    },
  },
  {
    name: '@abandonware/bleno',
    purpose: 'Bluetooth by the other library',
    packages: {
      '@abandonware/bleno': ['index.js', 'lib/*.js', 'lib/hci-socket/**/*.js*'],
      '@abandonware/bluetooth-hci-socket': ['index.js', 'lib/{native,unsupported}.js'],
      ...debug,
    },
    addon: {
      package: '@abandonware/bluetooth-hci-socket',
      gyp: ['--module_name=bluetooth_hci_socket', '--module_path=./lib/binding/'],
      output: 'build/Release/bluetooth_hci_socket.node',
    },
  },
  {
    name: 'onoff',
    purpose: 'lines by sysfs, on kernels without the character device',
    packages: {
      onoff: ['onoff.js'],
      'lodash.debounce': ['index.js'],
      epoll: ['epoll.js'],
      bindings: ['bindings.js'],
      'file-uri-to-path': ['index.js'],
    },
    addon: { package: 'epoll', gyp: [], output: 'build/Release/epoll.node' },
  },
  {
    // Without --use_libgpiod: that would link libgpiod 1, which Debian 13 has no more, and it takes gpiochip0
    // whatever that is. So it serves boards up to the Pi 4; on a Pi 5 the kernel reads the sensor (IIO).
    name: 'node-dht-sensor',
    purpose: 'DHT sensors on boards up to the Pi 4',
    packages: { 'node-dht-sensor': ['lib/index.js'] },
    addon: { package: 'node-dht-sensor', gyp: [], output: 'build/Release/node_dht_sensor.node' },
  },
];

/**
 * Puts every library that there is for the architecture below `target` (a `node_modules` folder). One that cannot be
 * built is left out, and said: the agent does without.
 *
 * @returns npm packages that were taken, sorted
 */
export function collectLibraries(options: {
  readonly arch: Architecture;
  readonly target: string;
  readonly workFolder: string;
  say(line: string): void;
}): string[] {
  const { arch, target, workFolder, say } = options;
  const taken = new Set<string>();
  for (const library of libraries) {
    try {
      const built = library.addon && compileAddon(library.addon, arch, workFolder);
      for (const [name, patterns] of Object.entries(library.packages)) {
        copyPackage(name, patterns, arch, target);
        taken.add(name);
      }
      if (library.addon && built) {
        const destination = join(target, library.addon.package, library.addon.output);
        mkdirSync(dirname(destination), { recursive: true });
        cpSync(built, destination);
      }
    } catch (cause) {
      if (!(cause instanceof PackageError)) throw cause;
      say(`left out: ${library.name} (${library.purpose}): ${cause.message}`);
    }
  }
  return [...taken].sort();
}

function copyPackage(name: string, patterns: readonly string[], arch: Architecture, target: string): void {
  const from = join(repository, 'node_modules', name);
  if (!existsSync(from)) throw new PackageError(`${name} is not installed (an optional dependency).`);
  for (const pattern of ['package.json', '{LICENSE,LICENCE,license}*', ...patterns]) {
    const files = globSync(pattern.replace('@ARCH@', names[arch].node), { cwd: from });
    if (files.length === 0 && patterns.includes(pattern))
      throw new PackageError(`${name} has no ${pattern} for ${arch}.`);
    for (const file of files) cpSync(join(from, file), join(target, name, file));
  }
}

/** Compiles the addons in place, for this computer, where that has not been done. */
export function buildInPlace(arch: Architecture, workFolder: string, say: (line: string) => void): void {
  for (const { name, purpose, addon } of libraries) {
    if (addon === undefined) continue;
    const destination = join(repository, 'node_modules', addon.package, addon.output);
    if (loads(addon.package)) {
      say(`${name}: there already`);
      continue;
    }
    try {
      const built = compileAddon(addon, arch, workFolder);
      mkdirSync(dirname(destination), { recursive: true });
      cpSync(built, destination);
      say(`${name}: built (${purpose})`);
    } catch (cause) {
      if (!(cause instanceof PackageError)) throw cause;
      say(`${name}: not built (${purpose}): ${cause.message}`);
    }
  }
}

function loads(name: string): boolean {
  try {
    run(process.execPath, ['-e', `require(${JSON.stringify(name)})`]);
    return true;
  } catch {
    return false;
  }
}
