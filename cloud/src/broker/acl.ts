import { deviceRights } from '@ares/protocol';
import { serviceNames, serviceRights, type TopicRights } from './service-rights.ts';

/** A broker that runs patterns puts the name in the client's certificate in its place. */
const NAME = '%u';
const PLACEHOLDER = '00000000-0000-4000-8000-000000000000';

/**
 * The `acl_file` of the listener for devices and apps: what a device may do, by the name in its certificate, and the
 * rights of the process that manages the broker. Nothing of a single device or app is in it, so that it does not
 * change when one comes or goes.
 */
export function deviceAcl(): string {
  const { publish, subscribe } = deviceRights(PLACEHOLDER);
  const pattern = (access: 'read' | 'write') => (topic: string) =>
    `pattern ${access} ${topic.replaceAll(PLACEHOLDER, NAME)}`;
  return lines(
    '# Devices, by the name in their certificate.',
    ...publish.map(pattern('write')),
    ...subscribe.map(pattern('read')),
    '',
    '# The process that manages this broker.',
    ...userLines('ares-broker', serviceRights['ares-broker']!),
  );
}

/** The `acl_file` of the listener for the cloud's own processes. */
export function serviceAcl(): string {
  return lines(
    "# The cloud's own processes, by their login.",
    ...serviceNames.flatMap((name) => [...userLines(name, serviceRights[name]!), '']),
  );
}

function userLines(name: string, { publish, subscribe }: TopicRights): string[] {
  return [
    `user ${name}`,
    ...publish.map((topic) => `topic write ${topic}`),
    ...subscribe.map((topic) => `topic read ${topic}`),
  ];
}

function lines(...all: readonly string[]): string {
  return `${all.join('\n').trimEnd()}\n`;
}
