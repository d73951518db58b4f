/** A conversation with a child process, one JSON value a message each way. */
export interface ChildChannel {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Settles when the child has gone; `undefined` when it ended as asked, else why not. */
  readonly closed: Promise<Error | undefined>;
  /** Asks the child to end; kills it when it does not within a second. */
  close(): Promise<void>;
}

/**
 * Runs work in short-lived children of this same program, so that what it needs (HTTP, X.509, Noise) never stays
 * in the resident process. Inputs, also secret ones, travel over stdin; never in argv or the environment.
 */
export interface ChildJobs {
  /**
   * One job in a child of its own.
   * @throws {CloudApiError} as the job reported it; `TIMEOUT`, `ABORTED` and `CHILD_FAILED` by this side
   */
  run(
    job: string,
    input: unknown,
    options: { readonly signal?: AbortSignal | undefined; readonly timeoutMs: number },
  ): Promise<unknown>;
  /** A child that stays until it is closed. */
  open(job: string, input: unknown): ChildChannel;
}
