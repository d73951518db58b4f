import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { clientIdFits, peerOf, rightsOf } from '../../src/adapters/aedes-rights.ts';

const deviceUuid = randomUUID();
const rights = rightsOf({ kind: 'device', deviceUuid });

describe('who a certificate names', () => {
  it.each([
    '',
    '+',
    '#',
    'a/b',
    '\u0000',
    ' ares-api',
    'ares-',
    'ARES-api',
    `${deviceUuid} `,
    deviceUuid.toUpperCase(),
    `${deviceUuid}/#`,
    'x'.repeat(65_536),
    undefined,
    [deviceUuid, 'ares-api'],
  ])('MQT-04 is nobody for a CN of %j', (name) => {
    expect(peerOf(name)).toBeUndefined();
  });

  it('is a device for a UUID and a service for a name of the cloud', () => {
    expect(peerOf(deviceUuid)).toEqual({ kind: 'device', deviceUuid });
    expect(peerOf('ares-ingest')).toEqual({ kind: 'service', name: 'ares-ingest' });
  });

  it('fits one client id of a device, and those of a service that begin with its name', () => {
    expect(clientIdFits({ kind: 'device', deviceUuid }, deviceUuid)).toBe(true);
    expect(clientIdFits({ kind: 'device', deviceUuid }, `${deviceUuid}-1`)).toBe(false);
    const service = { kind: 'service', name: 'ares-api' } as const;
    expect(
      ['ares-api', 'ares-api-1', 'ares-apis', 'ares-ingest-1'].map((id) => clientIdFits(service, id)),
    ).toEqual([true, true, false, false]);
  });
});

describe('the rights of a device', () => {
  it('cover its own orders and nothing wider', () => {
    const own = [`commands/${deviceUuid}/#`, `commands/${deviceUuid}/pump/+`, `system/${deviceUuid}/reset`];
    expect(own.filter((filter) => !rights.maySubscribe(filter))).toEqual([]);
    const foreign = [
      '#',
      '+/+/+',
      'commands/#',
      `commands/+/#`,
      `commands/${deviceUuid}`,
      `commands/${deviceUuid}x/#`,
      `system/${deviceUuid}/#`,
      `$share/g/commands/${deviceUuid}/#`,
    ];
    expect(foreign.filter((filter) => rights.maySubscribe(filter))).toEqual([]);
  });

  it('are asked again for each delivery', () => {
    expect(rights.mayReceive(`commands/${deviceUuid}/telemetry/ack`)).toBe(true);
    expect(rights.mayReceive(`commands/${randomUUID()}/telemetry/ack`)).toBe(false);
    expect(rights.mayReceive(`telemetry/${deviceUuid}/commands/status`)).toBe(false);
  });
});
