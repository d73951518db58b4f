import { randomBytes, randomUUID } from 'node:crypto';
import { topics } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { createMosquittoSessions } from '../../src/adapters/mosquitto-sessions.ts';
import type { SecurityEvent } from '../../src/ports/security-reporter.ts';
import { fakeClock } from '../support/quiet.ts';

const HOUR_MS = 3_600_000;

function world() {
  const clock = fakeClock();
  const events: SecurityEvent[] = [];
  const certificates = new Map<string, { deviceUuid: string; notAfter: Date }>();
  let away = false;
  const sessions = createMosquittoSessions({
    clock,
    security: { report: (event) => void events.push(event) },
    accepted: async (serial, deviceUuid) => {
      if (away) throw new Error('no database');
      const found = certificates.get(serial);
      return found?.deviceUuid === deviceUuid ? found : undefined;
    },
    config: { birthWithinMs: 30_000 },
  });
  const device = () => {
    const [deviceUuid, serial] = [randomUUID() as string, randomBytes(8).toString('hex')];
    certificates.set(serial, { deviceUuid, notAfter: new Date(clock.now() + HOUR_MS) });
    return { deviceUuid, serial };
  };
  const birth = (deviceUuid: string, certificateSerial: string, over: object = {}) =>
    sessions.heardConnection(
      topics.connectionStatus.build({ deviceUuid }),
      Buffer.from(
        JSON.stringify({
          mac: '0'.repeat(64),
          v: 1,
          kid: 'a1.1',
          assignment: 1,
          bootId: randomBytes(16).toString('hex'),
          bootCount: 1,
          sentAt: clock.now(),
          uptimeMs: 1,
          cpuSerial: '00000000deadbeef',
          hardwareVersion: 'sim-1',
          hardwareVariant: 'greenhouse',
          event: 'online',
          connectionId: randomUUID(),
          certificateSerial,
          agentVersion: '0.1.0',
          ...over,
        }),
      ),
    );
  const come = (name: string) => sessions.heardLog({ kind: 'connected', name });
  return {
    clock,
    events,
    certificates,
    sessions,
    device,
    birth,
    come,
    goAway(gone: boolean) {
      away = gone;
    },
  };
}

describe('who is connected to Mosquitto', () => {
  it('must say a birth in half a minute', async () => {
    const { clock, sessions, device, birth, come } = world();
    const [silent, speaking] = [device(), device()];
    come(silent.deviceUuid);
    come(speaking.deviceUuid);
    birth(speaking.deviceUuid, speaking.serial);
    clock.advance(30_000);
    expect(await sessions.due()).toEqual(new Map());
    clock.advance(1);
    expect(await sessions.due()).toEqual(new Map([[silent.deviceUuid, 'no birth']]));
  });

  it('is not taken for born by words that are no birth', async () => {
    const { clock, sessions, device, birth, come } = world();
    const one = device();
    come(one.deviceUuid);
    birth(one.deviceUuid, 'no serial number');
    birth(one.deviceUuid, one.serial, { event: 'offline' });
    sessions.heardConnection(topics.connectionStatus.build(one), Buffer.from('{'));
    sessions.heardConnection('telemetry/x/connection/status', Buffer.from('{}'));
    clock.advance(30_001);
    expect((await sessions.due()).get(one.deviceUuid)).toBe('no birth');
  });

  it('goes with the certificate that it named', async () => {
    const { clock, sessions, device, birth, come } = world();
    const one = device();
    come(one.deviceUuid);
    birth(one.deviceUuid, one.serial);
    clock.advance(HOUR_MS - 1);
    expect(await sessions.due()).toEqual(new Map());
    clock.advance(1);
    expect((await sessions.due()).get(one.deviceUuid)).toBe('certificate expired');
  });

  it("goes when it names another's certificate, or one that nobody accepts", async () => {
    const { sessions, device, birth, come } = world();
    const [thief, victim, revoked] = [device(), device(), device()];
    for (const { deviceUuid } of [thief, victim, revoked]) come(deviceUuid);
    birth(thief.deviceUuid, victim.serial);
    birth(victim.deviceUuid, victim.serial);
    birth(revoked.deviceUuid, 'ffff');
    expect([...(await sessions.due()).keys()]).toEqual([thief.deviceUuid, revoked.deviceUuid]);
  });

  it('stays while the tables cannot be asked', async () => {
    const { sessions, device, birth, come, goAway } = world();
    const one = device();
    come(one.deviceUuid);
    birth(one.deviceUuid, one.serial);
    goAway(true);
    await expect(sessions.due()).rejects.toThrow();
    expect(sessions.devices()).toEqual([one.deviceUuid]);
    goAway(false);
    expect(await sessions.due()).toEqual(new Map());
  });

  it('MQT-10 is suspected to be a clone at the third take-over in a minute', () => {
    const { clock, events, sessions, device } = world();
    const name = device().deviceUuid;
    const takeOver = () => {
      sessions.heardLog({ kind: 'taken-over', name });
      sessions.heardLog({ kind: 'connected', name });
    };
    takeOver();
    takeOver();
    clock.advance(60_001);
    takeOver();
    takeOver();
    expect(events).toEqual([]);
    takeOver();
    expect(events).toMatchObject([{ code: 'CLONE_SUSPECTED', deviceUuid: name }]);
    expect(sessions.devices()).toEqual([name]);
  });

  it('is found by its certificate, and forgotten when it is gone', () => {
    const { sessions, device, birth, come } = world();
    const [a, b] = [device(), device()];
    for (const one of [a, b]) {
      come(one.deviceUuid);
      birth(one.deviceUuid, one.serial);
    }
    expect(sessions.certificates()).toEqual([a.serial, b.serial]);
    expect(sessions.devicesOf(new Set([b.serial, 'ffff']))).toEqual([b.deviceUuid]);
    sessions.heardLog({ kind: 'gone', name: b.deviceUuid });
    expect(sessions.devices()).toEqual([a.deviceUuid]);
  });
});
