/** Who started the agent and looks after it. */
export interface ServiceManager {
  /** It ends and restarts the agent when it is not told for so long that the work goes on, ms; absent: never. */
  readonly watchdogMs?: number | undefined;
  /** The agent does its work, or waits for people in a way that it can explain. */
  ready(): void;
  /** The work goes on. */
  alive(): void;
  /** One line for people. */
  status(line: string): void;
  /** The agent drains. */
  stopping(): void;
}

/** Nobody looks after the agent: a terminal, a container, a test. */
export const noServiceManager: ServiceManager = {
  ready: () => undefined,
  alive: () => undefined,
  status: () => undefined,
  stopping: () => undefined,
};
