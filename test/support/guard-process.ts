import { spawnSync } from 'node:child_process';

/** Process id of the guard that an agent started; `undefined` when there is none. */
export function guardOf(agentPid: number): number | undefined {
  const { stdout } = spawnSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' });
  const line = stdout
    .split('\n')
    .find((one) => one.includes('guard.sh') && one.trim().split(/\s+/)[1] === String(agentPid));
  return line === undefined ? undefined : Number(line.trim().split(/\s+/)[0]);
}
