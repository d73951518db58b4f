import { describe, expect, it } from 'vitest';
import { type ChainFacts, causeChain, firstBroken, withFindings } from '../../src/lifecycle/cause-chain.ts';
import type { SessionStatus } from '../../src/operate/types.ts';

const session = (
  connection: Partial<SessionStatus['connection']>,
  more: Partial<SessionStatus> = {},
): SessionStatus => ({
  connection: { state: 'waiting', since: 0, ...connection },
  bootId: 'a',
  bootCount: 1,
  clockTrusted: true,
  clockSource: 'system',
  guardAvailable: true,
  firstReadingAcknowledged: true,
  outbox: { rows: 0, bytes: 0, dropped: 0, deadLetters: 0, diskLow: false },
  pendingResults: 0,
  components: [],
  ...more,
});
const facts = (more: Partial<ChainFacts>): ChainFacts => ({
  state: 'OPERATING',
  why: 'It works.',
  bluetoothOpen: false,
  radioProblem: undefined,
  steps: [],
  session: session({ state: 'connected' }),
  ...more,
});
const stateOf = (chain: ReturnType<typeof causeChain>) =>
  Object.fromEntries(chain.map(({ link, state }) => [link, state]));

describe('the first broken link', () => {
  it.each([
    ['NETWORK', 'ENOTFOUND', 'dns'],
    ['NETWORK', 'EAI_AGAIN', 'dns'],
    ['NETWORK', 'ENETUNREACH', 'address'],
    ['NETWORK', 'ENETDOWN', 'wifi'],
    ['NETWORK', 'ECONNREFUSED', 'broker'],
    ['CLOCK_BEHIND', 'CERT_NOT_YET_VALID', 'clock'],
    ['SERVER_UNTRUSTED', 'SELF_SIGNED_CERT_IN_CHAIN', 'tls'],
    ['CERTIFICATE_REFUSED', undefined, 'claim'],
    ['NOT_AUTHORIZED', undefined, 'claim'],
    ['BROKER_UNAVAILABLE', undefined, 'broker'],
  ] as const)('of a connection that failed with %s %s is %s', (code, reason, link) => {
    const failed = session({ code, detail: 'That is why.', ...(reason !== undefined && { reason }) });
    expect(firstBroken(causeChain(facts({ session: failed })))).toEqual({
      link,
      state: 'broken',
      detail: 'That is why.',
    });
  });

  it('is none while all works, and the radio is not needed', () => {
    const chain = causeChain(facts({}));
    expect(firstBroken(chain)).toBeUndefined();
    expect(stateOf(chain)).toMatchObject({ radio: 'not needed', wifi: 'ok', broker: 'ok', quota: 'ok' });
  });

  it('is the clock of a connected device whose time nobody confirms', () => {
    const chain = causeChain(facts({ session: session({ state: 'connected' }, { clockTrusted: false }) }));
    expect(firstBroken(chain)?.link).toBe('clock');
  });

  it('is the radio of a device that phones cannot find', () => {
    const chain = causeChain(
      facts({
        state: 'UNPROVISIONED',
        session: null,
        bluetoothOpen: true,
        radioProblem: 'Blocked by rfkill.',
      }),
    );
    expect(firstBroken(chain)).toMatchObject({ link: 'radio', detail: 'Blocked by rfkill.' });
  });

  it('is the step at which the last onboarding failed', () => {
    const steps = [
      { step: 'wifi', result: 'ok' },
      { step: 'address', result: 'failed', code: 'ADDRESS_TIMEOUT', detail: 'No address came.' },
      { step: 'clock', result: 'pending' },
    ] as const;
    const chain = causeChain(facts({ state: 'UNPROVISIONED', session: null, bluetoothOpen: true, steps }));
    expect(firstBroken(chain)).toMatchObject({ link: 'address', detail: 'No address came.' });
    expect(stateOf(chain)).toMatchObject({ wifi: 'ok' });
  });

  it.each([
    [{ putOff: 'TOO_MANY_BOOTS' }, 'does not take readings now (TOO_MANY_BOOTS)'],
    [{ outbox: { rows: 9, bytes: 9, dropped: 4, deadLetters: 0, diskLow: true } }, '4 readings were lost'],
  ] as const)('is the quota when readings cannot be kept or delivered: %j', (more, detail) => {
    const chain = causeChain(facts({ session: session({ state: 'connected' }, more) }));
    expect(firstBroken(chain)).toMatchObject({ link: 'quota', detail: expect.stringContaining(detail) });
  });
});

describe('what was found besides', () => {
  const failed = causeChain(facts({ session: session({ code: 'NETWORK', reason: 'ENOTFOUND' }) }));

  it('fills only what nobody knew', () => {
    const wifi = { state: 'broken', detail: 'wlan0 is not connected.' } as const;
    const chain = withFindings(failed, { wifi, dns: { state: 'ok' } }, { fresh: false });
    expect(stateOf(chain)).toMatchObject({ wifi: 'broken', dns: 'broken' });
    expect(firstBroken(chain)?.link).toBe('wifi');
  });

  it('replaces what is older when it was asked for just now', () => {
    expect(stateOf(withFindings(failed, { dns: { state: 'ok' } }, { fresh: true }))).toMatchObject({
      dns: 'ok',
    });
  });
});
