import type { Answer } from '../ports/drivers-child.ts';
import { revive } from './carried-error.ts';

type Send<Call> = (
  message:
    | { readonly type: 'call'; readonly id: number; readonly call: Call }
    | { readonly type: 'abort'; readonly id: number },
) => void;

/** Calls to the other side of a channel that wait for their answers. Both sides use it. */
export class Calls<Call> {
  readonly #send: Send<Call>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  constructor(send: Send<Call>) {
    this.#send = send;
  }

  /**
   * @param onSent told the number of the call
   * @throws what the other side threw; the reason of the signal; the reason of `end`
   */
  call(
    call: Call,
    options: { signal?: AbortSignal | undefined; onSent?: (id: number) => void } = {},
  ): Promise<unknown> {
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    // Whoever gave up waiting has stopped listening.
    answer.promise.catch(() => undefined);
    options.onSent?.(id);
    this.#send({ type: 'call', id, call });
    if (signal === undefined) return answer.promise;
    const onAbort = () => {
      this.#waiting.delete(id);
      this.#send({ type: 'abort', id });
      answer.reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    return answer.promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  settle(id: number, answer: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (answer.ok) waiting?.resolve(answer.value);
    else waiting?.reject(revive(answer.error));
  }

  /** Nothing more will be answered. */
  end(reason: Error): void {
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}
