import { randomUUID } from 'node:crypto';
import { type BrokerLink, BrokerLinkError } from '../ports/broker-link.ts';

const REQUEST = '$CONTROL/dynamic-security/v1';
const WITHIN_MS = 5_000;

/** A command of the dynamic-security plugin (mosquitto.org, man 7 "dynamic security"). */
export type ControlCommand = { readonly command: string } & Readonly<Record<string, unknown>>;

export interface ControlAnswer {
  readonly command: string;
  /** Absent when it was done. */
  readonly error?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface MosquittoControl {
  /**
   * Runs the commands in their order; one that fails does not stop the others.
   * @throws {BrokerLinkError} NOT_CONNECTED when the broker does not answer
   */
  run(...commands: readonly ControlCommand[]): Promise<readonly ControlAnswer[]>;
}

/** Speaks with the dynamic-security plugin over a connection that has the right to. */
export async function openMosquittoControl(link: BrokerLink): Promise<MosquittoControl> {
  const waiting = new Map<string, (answers: readonly ControlAnswer[]) => void>();
  await link.subscribe([`${REQUEST}/response`], (_topic, payload) => {
    const { responses } = JSON.parse(Buffer.from(payload).toString()) as {
      responses: readonly (ControlAnswer & { correlationData?: string })[];
    };
    const id = responses[0]?.correlationData;
    if (id === undefined) return;
    waiting.get(id)?.(responses);
    waiting.delete(id);
  });
  return {
    async run(...commands) {
      if (commands.length === 0) return [];
      const id = randomUUID();
      const message = JSON.stringify({
        commands: commands.map((command) => ({ ...command, correlationData: id })),
      });
      let timer: NodeJS.Timeout | undefined;
      const answered = new Promise<readonly ControlAnswer[]>((done, fail) => {
        waiting.set(id, done);
        timer = setTimeout(
          () => fail(new BrokerLinkError('NOT_CONNECTED', 'The broker did not answer an order to itself.')),
          WITHIN_MS,
        );
      });
      answered.catch(() => undefined);
      try {
        await link.publish(REQUEST, message);
        return await answered;
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
  };
}
