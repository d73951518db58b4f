import { describe, expect, it } from 'vitest';
import { linkNames } from '../../src/lifecycle/cause-chain.ts';
import { whatToDo } from '../../src/lifecycle/what-to-do.ts';
import type { SessionStatus } from '../../src/operate/types.ts';

const session = (more: Partial<SessionStatus> = {}) =>
  ({ guardAvailable: true, components: [], ...more }) as unknown as SessionStatus;
const chainWith = (broken?: string) =>
  linkNames.map((link) => ({ link, state: link === broken ? ('broken' as const) : ('ok' as const) }));
const operating = (broken: string | undefined, more: Partial<SessionStatus> = {}) =>
  whatToDo({ state: 'OPERATING', chain: chainWith(broken), session: session(more) });

describe('what a person can do about a device at work', () => {
  it('is nothing while all works', () => {
    expect(operating(undefined)).toBeNull();
  });

  it.each([
    ['wifi', /access point/],
    ['dns', /name server/],
    ['clock', /NTP/],
    ['tls', /trust file/],
    ['quota', /room on the disk/],
  ])('is about the first broken link: %s', (link, advice) => {
    expect(operating(link)).toMatch(advice);
  });

  it('is something else for each link', () => {
    expect(new Set(linkNames.map((link) => operating(link))).size).toBe(linkNames.length);
  });

  it('is about what does not work on the device itself when the way to the cloud is whole', () => {
    const dht22 = { componentId: 4, componentType: 'dht22', status: 'ERROR' as const };
    expect(operating(undefined, { components: [dht22] })).toContain('component 4 (dht22)');
    expect(operating(undefined, { guardAvailable: false, components: [dht22] })).toContain('guard');
    expect(operating('clock', { components: [dht22] })).toContain('NTP');
  });
});

it('goes by the state before anything else', () => {
  const advice = whatToDo({ state: 'UNPROVISIONED', chain: chainWith('claim'), session: null });
  expect(advice).toContain('ares-agent label');
});
