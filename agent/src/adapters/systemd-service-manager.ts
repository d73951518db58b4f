import { fstatSync, writeSync } from 'node:fs';
import type { Logger } from '../ports/logger.ts';
import { noServiceManager, type ServiceManager } from '../ports/service-manager.ts';

/** systemd's queue is short while it starts many services. */
const TRY_AGAIN_MS = 500;
const FIELD_NAMES = ['NOTIFY_SOCKET', 'ARES_NOTIFY_FD', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const;

/**
 * systemd by a datagram socket that whoever started the agent has opened (`ARES_NOTIFY_FD`, see
 * deploy/agent-package/root/usr/lib/ares-agent/exec-notified.pl), as Node cannot make one: a message is a write. Takes
 * its variables out of `env`, and Node lets no child inherit the descriptor, so that none speaks for the agent.
 *
 * @param options.env is changed
 */
export function takeServiceManager(options: {
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  readonly logger: Logger;
}): ServiceManager {
  const { env, pid, logger } = options;
  const [socket, descriptor, interval, watched] = FIELD_NAMES.map((name) => env[name]);
  for (const name of FIELD_NAMES) delete env[name];
  const fd = Number(descriptor);
  if (descriptor === undefined || !isSocket(fd)) {
    if (socket !== undefined && socket !== '')
      logger.warn('systemd waits for a word that cannot be given: start the agent by exec-notified.pl');
    return noServiceManager;
  }

  const waiting = new Map<string, string>();
  let retry: NodeJS.Timeout | undefined;
  const send = () => {
    retry = undefined;
    const fields = [...waiting].map(([name, value]) => `${name}=${value}`);
    try {
      writeSync(fd, fields.join('\n'));
      waiting.clear();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EAGAIN') {
        retry = setTimeout(send, TRY_AGAIN_MS).unref();
        return;
      }
      waiting.clear();
      logger.warn('systemd cannot be told', { fields, cause });
    }
  };
  // What could not be said yet goes with the next, the later word of a kind replacing the earlier.
  const tell = (name: string, value: string) => {
    waiting.set(name, value);
    clearTimeout(retry);
    send();
  };
  const watches = Number(interval) > 0 && (watched === undefined || Number(watched) === pid);
  return {
    watchdogMs: watches ? Number(interval) / 1_000 : undefined,
    ready: () => tell('READY', '1'),
    alive: () => tell('WATCHDOG', '1'),
    status: (line) => tell('STATUS', line.replaceAll(/\s+/g, ' ')),
    stopping: () => tell('STOPPING', '1'),
  };
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}
