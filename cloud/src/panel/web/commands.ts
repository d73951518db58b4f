import { useEffect, useRef, useState } from 'preact/hooks';
import { problemText } from './format.ts';
import { usePanel } from './panel.ts';
import type { Command } from './types.ts';

/** The newest order of this page to a component. */
export type Order =
  | { readonly phase: 'sending'; readonly words: string }
  | { readonly phase: 'refused'; readonly words: string; readonly why: string }
  | { readonly phase: 'accepted'; readonly words: string; readonly commandId: string };

export interface Commands {
  /** Newest first; `undefined` until they arrived once. */
  readonly log: readonly Command[] | undefined;
  readonly problem: string | undefined;
  /** By component. */
  readonly orders: ReadonlyMap<number, Order>;
  send(componentId: number, action: string, args: Record<string, unknown>, words: string): Promise<void>;
}

const WAIT_SECONDS = 10;
const POLL_MS = 2_000;
const QUIET_POLL_MS = 30_000;
const SHOWN = 10;

/** Sends commands and follows each until the cloud knows how it ended. */
export function useCommands(deviceUuid: string): Commands {
  const { client } = usePanel();
  const [log, setLog] = useState<readonly Command[]>();
  const [problem, setProblem] = useState<string>();
  const [orders, setOrders] = useState<ReadonlyMap<number, Order>>(new Map());
  const newest = useRef(new Map<number, object>());

  const load = async () => {
    try {
      const { items } = await client.listCommands({ params: { id: deviceUuid }, query: { limit: SHOWN } });
      setLog(items);
      setProblem(undefined);
    } catch (error) {
      setProblem(problemText(error));
    }
  };
  const pending = log?.some(({ status }) => status === 'PENDING') ?? false;
  useEffect(() => {
    void load();
    const timer = setInterval(() => void load(), pending ? POLL_MS : QUIET_POLL_MS);
    return () => clearInterval(timer);
  }, [deviceUuid, pending]);

  return {
    log,
    problem,
    orders,
    async send(componentId, action, args, words) {
      // A later order to the same component (an "off" while "on" is under way) takes over the line.
      const ticket = {};
      newest.current.set(componentId, ticket);
      const show = (order: Order) => {
        if (newest.current.get(componentId) === ticket)
          setOrders((all) => new Map(all).set(componentId, order));
      };
      show({ phase: 'sending', words });
      try {
        const answer = await client.sendCommand({
          params: { id: deviceUuid },
          query: { wait: WAIT_SECONDS },
          body: { componentId, action, args },
        });
        if ('status' in answer)
          setLog((held) =>
            [answer, ...(held ?? []).filter(({ commandId }) => commandId !== answer.commandId)].slice(
              0,
              SHOWN,
            ),
          );
        show({ phase: 'accepted', words, commandId: answer.commandId });
        await load();
      } catch (error) {
        show({ phase: 'refused', words, why: problemText(error) });
      }
    },
  };
}
