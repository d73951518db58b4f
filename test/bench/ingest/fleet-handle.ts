import { type ChildProcess, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FleetCommand, FleetOrder, FleetPlan, FleetReport, FleetResult } from './fleet-plan.ts';

const CONNECT_WITHIN_MS = 60_000;
const PREPARE_WITHIN_MS = 60_000;
const RUN_WITHIN_MS = 180_000;

export interface Fleet {
  prepare(order: FleetOrder): Promise<{ readonly bytesPerMessage: number }>;
  /** Starts and waits until everything is answered. */
  run(): Promise<FleetResult>;
  /** Starts; nobody will answer. */
  go(): void;
  end(): Promise<void>;
}

/** Starts the process of the simulated devices and waits until all of them are connected. */
export async function startFleet(plan: FleetPlan, home: string): Promise<Fleet> {
  const file = join(home, 'fleet.json');
  writeFileSync(file, JSON.stringify(plan), { mode: 0o600 });
  const child = fork(fileURLToPath(new URL('fleet.ts', import.meta.url)), [file], {
    execArgv: ['--conditions=@ares/source'],
  });
  const waitFor = <E extends FleetReport['event']>(event: E, withinMs: number) =>
    waitForReport(child, event, withinMs);
  const send = (command: FleetCommand) => child.send(command);
  try {
    await waitFor('connected', CONNECT_WITHIN_MS);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return {
    async prepare(order) {
      send({ prepare: order });
      return await waitFor('prepared', PREPARE_WITHIN_MS);
    },
    async run() {
      send({ go: true });
      return await waitFor('done', RUN_WITHIN_MS);
    },
    go: () => send({ go: true }),
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      send({ end: true });
      const hard = setTimeout(() => child.kill('SIGKILL'), 2_000);
      await ended;
      clearTimeout(hard);
    },
  };
}

function waitForReport<E extends FleetReport['event']>(
  child: ChildProcess,
  event: E,
  withinMs: number,
): Promise<Extract<FleetReport, { event: E }>> {
  return new Promise((resolve, reject) => {
    let readings = 0;
    const end = (settle: () => void) => {
      clearTimeout(timer);
      child.off('message', listen);
      child.off('exit', gone);
      settle();
    };
    const listen = (report: FleetReport) => {
      if (report.event === 'progress') readings = report.readings;
      else if (report.event === 'failed') end(() => reject(new Error(`the fleet: ${report.reason}`)));
      else if (report.event === event) end(() => resolve(report as Extract<FleetReport, { event: E }>));
    };
    const gone = () => end(() => reject(new Error(`the fleet ended before it was ${event}`)));
    const timer = setTimeout(
      () => end(() => reject(new Error(`the fleet was not ${event} in time; ${readings} readings answered`))),
      withinMs,
    );
    child.on('message', listen);
    child.once('exit', gone);
  });
}
