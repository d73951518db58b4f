// First of all: on Node 24 mqtt-packet pins a slice of the pool for each length of packet that it ever saw.
Buffer.poolSize = 0;

const [, , command, job] = process.argv;

if (command === 'child') {
  const { runChild } = await import('./compose-child.ts');
  await runChild(job ?? '');
} else {
  const { runCli } = await import('./cli/cli.ts');
  process.exitCode = await runCli(process.argv.slice(2));
}
