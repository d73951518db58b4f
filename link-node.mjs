// Root postinstall. Makes `node` in npm scripts the pinned Node 24, whatever Node runs npm.
// npm 10 makes no .bin/node when two packages (x64, arm64) declare that name: the skipped one
// takes the link away. Node 20 built-ins only.
import { existsSync, rmSync, symlinkSync } from 'node:fs';

const binary = `node_modules/node-linux-${process.arch}/bin/node`;
const link = 'node_modules/.bin/node';
if (existsSync(binary) && !existsSync(link)) {
  rmSync(link, { force: true });
  symlinkSync(`../node-linux-${process.arch}/bin/node`, link);
}
