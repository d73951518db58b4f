import {
  type Acknowledgement,
  type CommandClaims,
  type CommandStatusMessage,
  type ComponentsChangedClaims,
  type ConnectionMessage,
  parseReading,
  type TelemetryEnvelope,
  type topics,
  toRanges,
  type WifiChangeClaims,
} from '@ares/protocol';

const MOST_VALUES = 4;

type Summaries = Partial<Record<keyof typeof topics, (body: never) => string>>;

const summaries: Summaries = {
  componentStatus: ({ readings, health }: TelemetryEnvelope) => {
    const good = readings.flatMap((input) => {
      const parsed = parseReading(input);
      return parsed.ok ? [parsed.value] : [];
    });
    const bad = readings.length - good.length;
    const values = good.slice(-MOST_VALUES).map(({ metric, value }) => `${metric} ${value}`);
    return [
      `${readings.length} readings${good.length === 0 ? '' : ` (seq ${ranges(toRanges(good.map(({ seq }) => seq)))})`}`,
      ...values,
      ...(bad === 0 ? [] : [`${bad} of them not readable`]),
      ...(health ?? []).map(({ componentId, status }) => `component ${componentId} ${status}`),
    ].join(', ');
  },
  commandsStatus: ({ results }: CommandStatusMessage) =>
    results
      .map(({ commandId, outcome, code }) => [commandId, outcome, code].filter(Boolean).join(' '))
      .join(', '),
  connectionStatus: (message: ConnectionMessage) =>
    message.event === 'online'
      ? `online, boot ${message.bootCount}, agent ${message.agentVersion}, certificate ${message.certificateSerial}`
      : `offline, boot ${message.bootCount}`,
  telemetryAck: ({ stored, rejected, results }: Acknowledgement) =>
    [
      stored.length === 0 ? 'nothing stored' : `stored ${ranges(stored)}`,
      ...rejected.map(({ seq, code }) => `${seq} refused: ${code}`),
      ...(results === undefined ? [] : [`${results.length} results stored`]),
    ].join(', '),
  command: ({ componentType, componentId, action, args, seq }: CommandClaims) =>
    `${componentType} (${componentId}) ${action} ${JSON.stringify(args)}, seq ${seq}`,
  componentsChanged: ({ seq }: ComponentsChangedClaims) => `components, revision ${seq}`,
  wifiChange: ({ seq, credentials }: WifiChangeClaims) => `another Wi-Fi, seq ${seq}, ${credentials}`,
  systemReset: () => 'forget this owner',
  clientState: () => 'the state document',
  operatorTest: () => "an operator's test",
};

/** One line for people about what a message of this topic says. */
export function summarize(kind: keyof typeof topics, body: unknown): string {
  try {
    return (summaries[kind] as ((body: unknown) => string) | undefined)?.(body) ?? '';
  } catch {
    // What was not parsed may be anything.
    return '';
  }
}

const ranges = (list: readonly (readonly [number, number])[]): string =>
  list.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(',');
