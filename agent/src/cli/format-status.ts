import type { ChainLink } from '../lifecycle/cause-chain.ts';
import type { ShownStatus } from './gather-status.ts';

const WIDTH = 80;
const NAMES = 15;
/** Name and mark of a link. */
const LINK_WIDTH = 16;

type Row = readonly [name: string, value: string | null, indent?: number];

/** One screen: state, why, since when, what to do; then the way to the cloud, and what works and what does not. */
export function formatStatus(status: ShownStatus, now: number): string {
  const rows: readonly Row[] = [
    ['state', status.state],
    ['why', status.why],
    ['since', sinceOf(status.since, now)],
    ['what to do', status.whatToDo ?? 'Nothing.'],
    ['look first at', status.firstBroken === null ? null : nameOf(status.firstBroken)],
    ...chainRows(status.chain),
    ['agent', `${status.running ? 'running' : 'not running'}, version ${status.agentVersion}`],
    ['device', deviceOf(status)],
    ['board', `${status.board}; button: ${status.button}`],
    ['clock', status.clockAssumed ? 'taken as set because the settings say so ("clock": "assume")' : null],
    ['trusts', status.trust === null ? 'nobody yet' : trustOf(status.trust)],
    ['cloud', status.cloud === null ? null : `${status.cloud} (assignment ${status.assignment})`],
    ['certificate', status.certificateEnds === null ? null : `until ${minuteOf(status.certificateEnds)}`],
    ['outbox', status.store === null ? null : storeOf(status.store)],
    ...sessionRows(status, now),
  ];
  return rows
    .flatMap(([name, value, indent = 0]) => (value === null ? [] : linesOf(name, value, indent)))
    .join('\n');
}

function deviceOf({ deviceUuid, hardware, cpuSerial }: ShownStatus): string {
  if (deviceUuid === null) return 'unknown; its identity cannot be read';
  return `${deviceUuid} (${hardware}, serial ${cpuSerial})`;
}

function trustOf({ belongsTo, fingerprint }: NonNullable<ShownStatus['trust']>): string {
  return `${belongsTo.join('; ')} (SHA-256 ${fingerprint.slice(0, 16)}…)`;
}

function storeOf({
  readings,
  lostReadings,
  deadLetters,
  damaged,
}: NonNullable<ShownStatus['store']>): string {
  const counts = `${readings} readings wait, ${lostReadings} lost, ${deadLetters} refused for ever`;
  return damaged === null ? counts : `${counts}; only "stop" is obeyed: ${damaged}`;
}

const marks: { readonly [S in ChainLink['state']]: string } = {
  ok: 'ok',
  broken: 'BROKEN',
  unknown: '?',
  'not needed': '-',
};

function nameOf({ link, detail }: ChainLink): string {
  return `${link}: ${detail ?? 'it does not work'}`;
}

function chainRows(chain: readonly ChainLink[]): Row[] {
  return chain.map(({ link, state, detail = '' }, i) => [
    i === 0 ? 'way to cloud' : '',
    `${link.padEnd(8)} ${marks[state].padEnd(7)}${detail}`.trimEnd(),
    LINK_WIDTH,
  ]);
}

function sessionRows({ session }: ShownStatus, now: number): Row[] {
  if (session === null) return [];
  const { connection, outbox, components } = session;
  const detail = connection.detail === undefined ? '' : `: ${connection.detail}`;
  const since = `${connection.state} since ${sinceOf(new Date(connection.since).toISOString(), now)}`;
  return [
    ['connection', `${since}${detail}`],
    ['guard', session.guardAvailable ? 'watches the outputs' : 'missing; nothing is switched on'],
    [
      'outbox',
      `${outbox.rows} readings wait, ${outbox.dropped} lost, ${outbox.deadLetters} refused for ever; ${session.pendingResults} results of commands wait`,
    ],
    ...components.map(
      ({ componentId, componentType, status, reason }): Row => [
        `component ${componentId}`,
        `${componentType} ${status}${reason === undefined ? '' : `: ${reason}`}`,
      ],
    ),
  ];
}

function minuteOf(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`;
}

function sinceOf(iso: string, now: number): string {
  const time = Date.parse(iso);
  if (time === 0) return 'unknown';
  const minutes = Math.floor((now - time) / 60_000);
  if (minutes < 0) return minuteOf(iso);
  const age =
    minutes < 120
      ? `${minutes} min`
      : minutes < 2_880
        ? `${Math.floor(minutes / 60)} h`
        : `${Math.floor(minutes / 1_440)} days`;
  return `${minuteOf(iso)} (${age})`;
}

/** A value below its own column where it is longer than the screen is wide. */
function linesOf(name: string, value: string, indent: number): string[] {
  const lines: string[] = [];
  for (const word of value.split(/(?<= )/)) {
    const last = lines.at(-1);
    const width = WIDTH - NAMES - (lines.length > 1 ? indent : 0);
    if (last !== undefined && (last + word).trimEnd().length <= width) lines[lines.length - 1] = last + word;
    else lines.push(word);
  }
  const [first = '', ...rest] = lines.map((line) => line.trimEnd());
  const head = name === '' ? '' : `${name}:`;
  return [head.padEnd(NAMES) + first, ...rest.map((line) => ' '.repeat(NAMES + indent) + line)];
}
