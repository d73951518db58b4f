import { describe, expect, it } from 'vitest';
import { readLogLine } from '../../src/adapters/mosquitto-log.ts';

const name = '6a7c4c5e-7f4d-4c52-8b0e-0a4c4d1f2a33';

/** As Mosquitto 2.0.11 says it. */
describe("a line of Mosquitto's log", () => {
  it.each([
    [`New client connected from 127.0.0.1:46438 as ${name} (p2, c1, k60, u'${name}').`, 'connected'],
    [`New client connected from [fe80::1]:46438 as ${name} (p5, c1, k60, u'${name}').`, 'connected'],
    [`Client ${name} already connected, closing old connection.`, 'taken-over'],
    [`Client ${name} been disconnected by administrative action.`, 'gone'],
    [`Client ${name} disconnected.`, 'gone'],
    [`Client ${name} disconnected, not authorised.`, 'gone'],
    [`Client ${name} disconnected due to malformed packet.`, 'gone'],
    [`Client ${name} closed its connection.`, 'gone'],
    [`Client ${name} has exceeded timeout, disconnecting.`, 'gone'],
    [`Bad socket read/write on client ${name}: Unknown error.`, 'gone'],
    [`Socket error on client ${name}, disconnecting.`, 'gone'],
  ])('%s', (line, kind) => {
    expect(readLogLine(line)).toEqual({ kind, name });
    expect(readLogLine(`1795187973: ${line}`)).toEqual({ kind, name });
  });

  it.each([
    'New connection from 127.0.0.1:46438 on port 8883.',
    "New client connected from 127.0.0.1:46438 as ares-ingest-7 (p2, c1, k60, u'ares-ingest').",
    'Client <unknown> disconnected, not authorised.',
    // A client id that somebody chose at the listener for services.
    `New client connected from 127.0.0.1:1 as x${name} (p2, c1, k60, u'ares-api').`,
    `Something else about Client ${name} disconnected.`,
    '',
  ])('is nothing about a device: %s', (line) => {
    expect(readLogLine(line)).toBeUndefined();
  });
});
