import { execFile } from 'node:child_process';
import type { Logger } from '../ports/logger.ts';
import { noServiceManager, type ServiceManager } from '../ports/service-manager.ts';

/** systemd-notify waits until systemd has read the message; where nobody reads, not for ever. */
const TIMEOUT_MS = 10_000;
const FIELD_NAMES = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const;

/**
 * systemd by its own `systemd-notify`, as Node has no datagram sockets of the Unix family: the unit needs
 * `NotifyAccess=all`. Takes its variables out of `env`, so that no child of the agent speaks for it.
 *
 * @param options.env is changed
 */
export function takeServiceManager(options: {
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  readonly logger: Logger;
}): ServiceManager {
  const { env, pid, logger } = options;
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: interval, WATCHDOG_PID: watched } = env;
  for (const name of FIELD_NAMES) delete env[name];
  if (socket === undefined || socket === '') return noServiceManager;

  const waiting = new Map<string, string>();
  let sending = false;
  const send = () => {
    if (sending || waiting.size === 0) return;
    sending = true;
    const fields = [...waiting].map(([name, value]) => `${name}=${value}`);
    waiting.clear();
    const options = { env: { PATH: '/usr/bin:/bin', NOTIFY_SOCKET: socket }, timeout: TIMEOUT_MS };
    execFile('systemd-notify', fields, options, (cause) => {
      sending = false;
      if (cause !== null) logger.warn('systemd cannot be told', { fields, cause });
      send();
    });
  };
  // One process at a time; what is said meanwhile goes together, the later word of a kind replacing the earlier.
  const tell = (name: string, value: string) => {
    waiting.set(name, value);
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
