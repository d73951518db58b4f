import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** What the kernel takes as the path of a Unix socket, without its end mark. */
const MAX_PATH_BYTES = 107;

/**
 * The path by which the kernel takes a Unix socket however deep its folder lies: through the open folder. Call
 * `release` when nothing listens, connects or unlinks by it any more.
 * @throws when the folder is not there
 */
export function socketAddress(path: string): { readonly path: string; release(): void } {
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES || process.platform !== 'linux')
    return { path, release: () => {} };
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  let open = true;
  return {
    path: `/proc/self/fd/${folder}/${basename(path)}`,
    release() {
      // Once: the number may be another file's by then.
      if (open) closeSync(folder);
      open = false;
    },
  };
}
