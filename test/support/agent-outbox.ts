import { agent } from './ares-process.ts';

/** The folders of an agent. */
interface AgentFolders {
  readonly stateDir: string;
  readonly boardDir: string;
}

/** What the agent of these folders tells of itself, as JSON; `{}` when it was just started and cannot tell yet. */
export async function statusTextOf({ stateDir, boardDir }: AgentFolders): Promise<string> {
  return agent('status', '--state-dir', stateDir, '--simulate-board', boardDir, '--json').catch(() => '{}');
}

/** Whether the agent of these folders runs and has nothing left to send. */
export async function outboxIsEmpty(pi: AgentFolders): Promise<boolean> {
  const { session } = JSON.parse(await statusTextOf(pi)) as {
    session?: { outbox: { rows: number } } | null;
  };
  return session?.outbox.rows === 0;
}
