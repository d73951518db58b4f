import type { DeviceStatus } from '../lifecycle/status.ts';

/** One screen: state, why, since when, what to do; then what works and what does not. */
export function formatStatus(status: DeviceStatus, running: boolean): string {
  const rows: [string, string | null][] = [
    ['state', status.state],
    ['why', status.why],
    ['since', status.since],
    ['what to do', whatToDo(status, running)],
    ['agent', running ? `running, version ${status.agentVersion}` : 'not running'],
    ['device', `${status.deviceUuid} (${status.hardware}, serial ${status.cpuSerial})`],
    ['bluetooth', running ? status.bluetooth : null],
    ['cloud', status.cloud === null ? null : `${status.cloud} (assignment ${status.assignment})`],
    ['certificate', status.certificateEnds === null ? null : `until ${status.certificateEnds}`],
    ...sessionRows(status),
  ];
  return rows
    .filter((row): row is [string, string] => row[1] !== null)
    .map(([name, value]) => `${`${name}:`.padEnd(15)}${value}`)
    .join('\n');
}

function whatToDo({ whatToDo: advice }: DeviceStatus, running: boolean): string {
  if (!running) return 'Start the agent (ares-agent run).';
  return advice ?? 'Nothing.';
}

function sessionRows({ session }: DeviceStatus): [string, string][] {
  if (session === null) return [];
  const { connection, outbox, components } = session;
  const detail = connection.detail === undefined ? '' : `: ${connection.detail}`;
  return [
    ['connection', `${connection.state}${detail}`],
    ['clock', session.clockTrusted ? 'trusted' : 'not trusted; only "stop" is obeyed'],
    ['guard', session.guardAvailable ? 'watches the outputs' : 'missing; nothing is switched on'],
    [
      'outbox',
      `${outbox.rows} readings waiting, ${outbox.deadLetters} refused for ever, ${outbox.dropped} dropped`,
    ],
    ...components.map(({ componentId, componentType, status, reason }): [string, string] => [
      `component ${componentId}`,
      `${componentType} ${status}${reason === undefined ? '' : `: ${reason}`}`,
    ]),
  ];
}
