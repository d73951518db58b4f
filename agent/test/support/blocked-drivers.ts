import { fileURLToPath } from 'node:url';
import { createDriversProcess } from '../../src/adapters/drivers-process.ts';

/** A parent of a process of drivers by others whose only driver, at the path that is given, never lets go. */
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const [, , driver = ''] = process.argv;
const channel = createDriversProcess({
  mainFile: path('../../src/main.ts'),
  programFolder: path('../../..'),
  drivers: () => ({ odd: { path: driver, folders: [driver] } }),
  heapMb: 48,
}).open();
channel.onMessage((message) => void process.stdout.write(`${message.type}\n`));
const component = { componentId: 1, componentType: 'odd', pins: {}, config: {} };
channel.send({ type: 'call', id: 1, call: { do: 'describe', key: '1', component } });
