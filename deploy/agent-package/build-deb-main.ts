import { join } from 'node:path';
import { parseArgs } from 'node:util';
import packageJson from '../../agent/package.json' with { type: 'json' };
import { buildDeb, sourceEpoch } from './build-deb.ts';
import { type Architecture, architectures, hostArchitecture, PackageError, repository } from './tools.ts';

/*
 * npm run build:deb -- [--arch arm64|amd64] [--version VERSION] [--out FOLDER]
 */
const { values } = parseArgs({
  options: { arch: { type: 'string' }, version: { type: 'string' }, out: { type: 'string' } },
});
const say = (line: string) => process.stdout.write(`${line}\n`);
try {
  const arch = (values.arch ?? hostArchitecture()) as Architecture;
  if (!architectures.includes(arch))
    throw new PackageError(`There is no agent for ${arch}; say --arch ${architectures.join(' or --arch ')}.`);
  const built = buildDeb({
    arch,
    version: values.version ?? packageJson.version,
    outFolder: values.out ?? join(repository, 'deploy/dist'),
    epoch: sourceEpoch(),
    say,
  });
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
  say(
    `${built.file}: ${megabytes(built.bytes)}; code ${megabytes(built.bundleBytes)}, native libraries ${megabytes(built.libraryBytes)}`,
  );
} catch (cause) {
  if (!(cause instanceof PackageError)) throw cause;
  process.stderr.write(`${cause.message}\n`);
  process.exitCode = 1;
}
