import { agent } from './ares-process.ts';

/** Whether the agent of these folders runs and has nothing left to send. */
export async function outboxIsEmpty(pi: {
  readonly stateDir: string;
  readonly boardDir: string;
}): Promise<boolean> {
  const where = ['--state-dir', pi.stateDir, '--simulate-board', pi.boardDir];
  // An agent that was just started says that it cannot tell yet.
  const status = await agent('status', ...where, '--json').catch(() => '{}');
  const { session } = JSON.parse(status) as { session?: { outbox: { rows: number } } | null };
  return session?.outbox.rows === 0;
}
