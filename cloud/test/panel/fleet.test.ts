import { describe, expect, it } from 'vitest';
import {
  confirmsUnlink,
  emptyFleet,
  type FleetAction,
  lastSeenOf,
  nameOf,
  presenceOf,
  reduceFleet,
  selectDevices,
} from '../../src/panel/web/fleet.ts';
import type { Device, StateDocument } from '../../src/panel/web/types.ts';

const one = '3f6f1c1e-5d0b-4b6e-9f5a-2f0d6b1c7a10';
const two = '90aa12bc-77de-4f00-8a11-5b6c7d8e9f00';
const device = (deviceUuid: string, more: Partial<Device> = {}): Device => ({
  deviceUuid,
  nickname: null,
  lifeCycle: 'ACTIVE',
  presence: 'ONLINE',
  hardwareVersion: 'sim-1',
  hardwareVariant: 'greenhouse',
  cpuSerial: '10000000abcdef12',
  lastSeen: '2030-01-01T00:00:00.000Z',
  role: 'owner',
  claimedAt: '2030-01-01T00:00:00.000Z',
  ...more,
});
const state = (
  deviceUuid: string,
  lastSeen: string | null,
  more: Partial<StateDocument> = {},
): StateDocument => ({
  deviceUuid,
  nickname: null,
  device_status: 'ONLINE',
  lastSeen,
  components: [],
  ...more,
});
const after = (...actions: FleetAction[]) => actions.reduce(reduceFleet, emptyFleet);

describe('the fleet', () => {
  it('takes a newer state and keeps it against an answer that was overtaken', () => {
    const fleet = after(
      { kind: 'state', state: state(one, '2030-01-01T00:00:10Z') },
      { kind: 'state', state: state(one, '2030-01-01T00:00:05.000Z', { device_status: 'OFFLINE' }) },
    );
    expect(fleet.states.get(one)?.device_status).toBe('ONLINE');
  });

  it('takes a time-out, which comes with the same last-seen', () => {
    const fleet = after(
      { kind: 'state', state: state(one, '2030-01-01T00:00:10Z') },
      { kind: 'state', state: state(one, '2030-01-01T00:00:10Z', { device_status: 'Timeout' }) },
    );
    expect(presenceOf(device(one), fleet.states.get(one))).toBe('TIMEOUT');
  });

  it('forgets the state of devices that are no longer listed', () => {
    const fleet = after(
      { kind: 'listed', devices: [device(one), device(two)] },
      { kind: 'state', state: state(two, null) },
      { kind: 'listed', devices: [device(one)] },
    );
    expect([...(fleet.devices?.keys() ?? [])]).toEqual([one]);
    expect(fleet.states.size).toBe(0);
  });

  it('shows nothing of the former owner of a device that was given away', () => {
    const fleet = after(
      { kind: 'state', state: state(one, '2030-01-01T00:00:10Z') },
      { kind: 'listed', devices: [device(one, { lifeCycle: 'RELEASED', claimedAt: null })] },
    );
    expect(fleet.states.size).toBe(0);
  });

  it('keeps the list when asking for it anew failed, and says so', () => {
    const fleet = after(
      { kind: 'listed', devices: [device(one)] },
      { kind: 'list-failed', why: 'no answer' },
    );
    expect(fleet.devices?.size).toBe(1);
    expect(fleet.listProblem).toBe('no answer');
  });

  it('shows a new nickname in the state as well', () => {
    const fleet = after(
      { kind: 'listed', devices: [device(one)] },
      { kind: 'state', state: state(one, null) },
      { kind: 'device', device: device(one, { nickname: 'Shed' }) },
    );
    expect(fleet.states.get(one)?.nickname).toBe('Shed');
  });

  it('knows since when it is not live, however often reconnecting fails', () => {
    const fleet = after(
      { kind: 'link', link: { phase: 'live' }, at: 1 },
      { kind: 'link', link: { phase: 'waiting', why: 'x', retryAt: 9 }, at: 2 },
      { kind: 'link', link: { phase: 'connecting' }, at: 9 },
      { kind: 'link', link: { phase: 'waiting', why: 'x', retryAt: 20 }, at: 10 },
    );
    expect(fleet.liveUntil).toBe(2);
  });

  it('leaves nothing to the next account', () => {
    expect(after({ kind: 'listed', devices: [device(one)] }, { kind: 'reset' })).toEqual(emptyFleet);
  });

  it('lists what needs a look first, then by name, and finds by name, id and serial', () => {
    const fleet = after({
      kind: 'listed',
      devices: [
        device(one, { nickname: 'b' }),
        device(two, { presence: 'TIMEOUT', nickname: 'z', cpuSerial: 'feed0000' }),
        device(two.replace('90', '91'), { nickname: 'a' }),
      ],
    });
    expect(selectDevices(fleet, '').map(nameOf)).toEqual(['z', 'a', 'b']);
    expect(selectDevices(fleet, ' FEED').map(nameOf)).toEqual(['z']);
    expect(selectDevices(fleet, '3f6f').map(nameOf)).toEqual(['b']);
  });

  it('knows presence and last-seen from the list until a state has come', () => {
    expect(presenceOf(device(one, { presence: 'OFFLINE' }), undefined)).toBe('OFFLINE');
    expect(lastSeenOf(device(one, { lastSeen: null }), undefined)).toBeNull();
  });
});

describe('giving a device away', () => {
  it('needs its nickname or the first eight characters of its id', () => {
    const named = device(one, { nickname: 'Shed ' });
    expect(confirmsUnlink('Shed', named)).toBe(true);
    expect(confirmsUnlink(' 3F6F1C1E ', named)).toBe(true);
    for (const wrong of ['', ' ', 'shed', '3f6f1c1', two.slice(0, 8)]) {
      expect(confirmsUnlink(wrong, named), wrong).toBe(false);
    }
    expect(confirmsUnlink('', device(one, { nickname: '' }))).toBe(false);
  });
});
