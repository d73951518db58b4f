import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { root } from '../support/repository.ts';
import { cpuSecondsOf, machineBusySeconds } from './processes.ts';

/** One measured figure beside what it is held against, both of the same run. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline?: { readonly name: string; readonly value: number };
  /** What a reader must know to believe it. */
  readonly note?: string;
}

export interface SectionResult {
  readonly figures: readonly Figure[];
  /** Conditions of this run, one sentence each. */
  readonly remarks: readonly string[];
}

/** What a section is given. */
export interface SectionContext {
  /** Length of the runs of memory and footprint. */
  readonly minutes: number;
  /** Simulated devices of the ingest run. */
  readonly devices: number;
  /** Folder for CPU profiles of the cloud; absent: none are made. */
  readonly profileDir: string | undefined;
  /** A folder of this run alone, removed afterwards. */
  readonly home: string;
  say(line: string): void;
}

export type Section = (context: SectionContext) => Promise<SectionResult>;

export interface Measured extends SectionResult {
  readonly section: string;
  /** One-minute load of the machine before and after. */
  readonly load: readonly [number, number];
  /** Share of all processors that other programs took meanwhile. */
  readonly others: number;
}

/** Runs a section and notes how quiet the machine was. */
export async function measure(name: string, section: Section, context: SectionContext): Promise<Measured> {
  const before = loadavg()[0]!;
  const used = () => ({ machine: machineBusySeconds(), ours: cpuSecondsOf(process.pid) });
  const from = used();
  const begin = performance.now();
  const result = await section(context);
  const to = used();
  const all = ((performance.now() - begin) / 1_000) * availableParallelism();
  const others = Math.max(0, to.machine - from.machine - (to.ours - from.ours)) / all;
  return { section: name, ...result, load: [before, loadavg()[0]!], others };
}

export function formatMeasured(measured: Measured): string {
  const rows = measured.figures.map(({ name, value, unit, baseline, note }) => {
    const held =
      baseline === undefined
        ? ''
        : `${formatNumber(value / baseline.value)} × ${baseline.name} (${formatNumber(baseline.value)} ${unit})`;
    return `| ${name} | ${formatNumber(value)} ${unit} | ${held} | ${note ?? ''} |`;
  });
  const [before, after] = measured.load;
  return [
    `### ${measured.section}`,
    '',
    '| figure | value | against, in the same run | note |',
    '|---|---:|---|---|',
    ...rows,
    '',
    ...measured.remarks.map((remark) => `- ${remark}`),
    `- Load of the machine before and after: ${before.toFixed(1)}, ${after.toFixed(1)}; other programs took ${Math.round(measured.others * 100)} % of its processors meanwhile.`,
    '',
  ].join('\n');
}

/** Appends one run to `test/bench/RESULTS.md`. */
export function record(runs: readonly Measured[]): void {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const commit = git('rev-parse', '--short', 'HEAD');
  const changed = git('status', '--porcelain').length > 0 ? ', with changes that are not committed' : '';
  const cpu = cpus()[0]?.model ?? 'unknown CPU';
  const machine = `${availableParallelism()} cores of ${cpu}, ${Math.round(totalmem() / 2 ** 30)} GB, Linux ${process.arch}, Node ${process.version}`;
  const head = `\n## ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, ${commit}${changed}\n\n${machine}\n\n`;
  appendFileSync(new URL('RESULTS.md', import.meta.url), head + runs.map(formatMeasured).join('\n'));
}

function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
