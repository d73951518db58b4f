import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel counts in, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_KB = 4;

interface ProcessStat {
  readonly parent: number;
  /** Own time and that of children that ended, in seconds. */
  readonly cpuSeconds: number;
  readonly rssMb: number;
  readonly name: string;
}

/** A process and everything below it. One that ends meanwhile is left out. */
export function processTree(root: number): Map<number, ProcessStat> {
  const all = new Map<number, ProcessStat>();
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? readStat(Number(entry)) : undefined;
    if (stat !== undefined) all.set(Number(entry), stat);
  }
  const tree = new Map<number, ProcessStat>();
  const visit = (pid: number) => {
    const stat = all.get(pid);
    if (stat === undefined || tree.has(pid)) return;
    tree.set(pid, stat);
    for (const [child, { parent }] of all) if (parent === pid) visit(child);
  };
  visit(root);
  return tree;
}

export function cpuSecondsOf(root: number): number {
  return [...processTree(root).values()].reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

export function rssMbOf(root: number): number {
  return [...processTree(root).values()].reduce((sum, { rssMb }) => sum + rssMb, 0);
}

/** The process of drivers by others below an agent, if it has one. */
export function driversProcessOf(root: number): number | undefined {
  return [...processTree(root).keys()].find((pid) => commandOf(pid).endsWith('\0child\0drivers\0'));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Seconds that all cores of the machine were busy since it started, with anything. */
export function machineBusySeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]!
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softIrq) / TICKS_PER_SECOND;
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything; numbers begin behind the last one.
    const close = text.lastIndexOf(')');
    const fields = text.slice(close + 2).split(' ');
    const number = (field: number) => Number(fields[field - 3]);
    return {
      parent: number(4),
      cpuSeconds: (number(14) + number(15) + number(16) + number(17)) / TICKS_PER_SECOND,
      rssMb: (number(24) * PAGE_KB) / 1_024,
      name: text.slice(text.indexOf('(') + 1, close),
    };
  } catch {
    return undefined;
  }
}
