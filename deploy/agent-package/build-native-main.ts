import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildInPlace } from './addons.ts';
import { hostArchitecture } from './tools.ts';

/*
 * npm run build:native: the native addons for this computer, for who runs the agent from its sources on a board.
 */
const work = mkdtempSync(join(tmpdir(), 'ares-native-'));
try {
  buildInPlace(hostArchitecture(), work, (line) => process.stdout.write(`${line}\n`));
} finally {
  rmSync(work, { recursive: true, force: true });
}
