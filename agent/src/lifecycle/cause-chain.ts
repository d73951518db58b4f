import type { StepReport } from '@ares/protocol/ble';
import type { SessionStatus } from '../operate/types.ts';
import type { LinkErrorCode } from '../ports/broker-link.ts';
import type { LifecycleState } from './transitions.ts';

/** What a device needs to reach its cloud, in the order in which one stands on the other. */
export const linkNames = [
  'radio',
  'wifi',
  'address',
  'dns',
  'clock',
  'tls',
  'claim',
  'broker',
  'quota',
] as const;
export type LinkName = (typeof linkNames)[number];

export interface Evidence {
  readonly state: 'ok' | 'broken' | 'unknown' | 'not needed';
  /** What it is known by, in one sentence. */
  readonly detail?: string | undefined;
}
export type ChainLink = { readonly link: LinkName } & Evidence;
type Findings = { readonly [L in LinkName]?: Evidence };

/** What is known without asking anybody: the outcome of the last attempts. */
export interface ChainFacts {
  readonly state: LifecycleState | 'WAITING_FOR_TRUST' | 'NEEDS_REPAIR';
  readonly why: string;
  readonly bluetoothOpen: boolean;
  /** Why phones find nothing although it is open. */
  readonly radioProblem: string | undefined;
  /** Steps of the latest onboarding of this process. */
  readonly steps: readonly StepReport[];
  readonly session: SessionStatus | null;
}

const ok = (detail?: string): Evidence => ({ state: 'ok', detail });
const broken = (detail: string): Evidence => ({ state: 'broken', detail });
const notNeeded = (detail: string): Evidence => ({ state: 'not needed', detail });
const unknown: Evidence = { state: 'unknown' };

/** The chain of causes; the first broken link is the one to look at. */
export function causeChain(facts: ChainFacts): readonly ChainLink[] {
  const found: Findings = { radio: radioOf(facts), ...linksOf(facts) };
  return linkNames.map((link) => ({ link, ...(found[link] ?? unknown) }));
}

/** The one to look at; the links after it may be broken only because of it. */
export function firstBroken(chain: readonly ChainLink[]): ChainLink | undefined {
  return chain.find(({ state }) => state === 'broken');
}

/**
 * The chain with what was found besides: on a link that nobody knew anything of, or anything more than that it works,
 * or on each when it was asked for just now.
 */
export function withFindings(
  chain: readonly ChainLink[],
  findings: Findings,
  options: { readonly fresh: boolean },
): readonly ChainLink[] {
  return chain.map((link) => {
    const found = findings[link.link];
    const wanted = options.fresh || link.state === 'unknown' || saysMore(link, found);
    return found !== undefined && wanted ? { ...link, ...found } : link;
  });
}

function saysMore(known: Evidence, found: Evidence | undefined): boolean {
  const works = found?.state === 'ok' || found?.state === 'not needed';
  return known.state === 'ok' && known.detail === undefined && works;
}

function radioOf({ bluetoothOpen, radioProblem }: ChainFacts): Evidence {
  if (!bluetoothOpen) return notNeeded('Bluetooth is closed.');
  return radioProblem === undefined ? ok('Bluetooth is open for phones.') : broken(radioProblem);
}

function linksOf(facts: ChainFacts): Findings {
  const { state, why, steps, session } = facts;
  switch (state) {
    case 'WAITING_FOR_TRUST':
      return {
        ...idle('while there is no trust file.'),
        tls: broken('There is no trust file.'),
        claim: notNeeded('Not needed while there is no trust file.'),
      };
    case 'NEEDS_REPAIR':
      return { ...idle('until the damage is repaired.'), claim: broken(why) };
    case 'UNPROVISIONED':
      return {
        ...idle('until somebody sets the device up.'),
        ...stepLinks(steps.some(({ result }) => result === 'failed') ? steps : []),
        claim: broken('Nobody owns the device yet.'),
      };
    case 'PROVISIONING':
      return stepLinks(steps);
    case 'RESETTING':
      return idle('while the device forgets its owner.');
    case 'RECOVERY_NEEDED':
      return { claim: broken('The cloud withdrew the certificate; the owner must recover the device.') };
    case 'BLOCKED':
      return { claim: broken('The cloud blocked the device.') };
    case 'OPERATING':
      return session === null ? {} : sessionLinks(session);
  }
}

function idle(when: string): Findings {
  const evidence = notNeeded(`Not needed ${when}`);
  return {
    wifi: evidence,
    address: evidence,
    dns: evidence,
    clock: evidence,
    tls: evidence,
    broker: evidence,
    quota: evidence,
  };
}

const linkOfStep: { readonly [S in StepReport['step']]: LinkName } = {
  wifi: 'wifi',
  address: 'address',
  clock: 'clock',
  dns: 'dns',
  tls: 'tls',
  claim: 'claim',
  certificate: 'claim',
  'first-reading': 'broker',
};

function stepLinks(steps: readonly StepReport[]): Findings {
  const found: Record<string, Evidence> = {};
  for (const { step, result, detail } of steps) {
    if (result === 'ok') found[linkOfStep[step]] ??= ok('In the last onboarding.');
    if (result === 'failed') found[linkOfStep[step]] = broken(detail ?? 'The last onboarding failed here.');
  }
  return found;
}

/** What an attempt that failed in this way has shown to work, in their order, and what it has shown not to. */
const shownBy: {
  readonly [C in LinkErrorCode]: { readonly until: LinkName | undefined; readonly broken: LinkName };
} = {
  NETWORK: { until: undefined, broken: 'broker' },
  CLOCK_BEHIND: { until: undefined, broken: 'clock' },
  SERVER_UNTRUSTED: { until: 'dns', broken: 'tls' },
  CERTIFICATE_REFUSED: { until: 'tls', broken: 'claim' },
  NOT_AUTHORIZED: { until: 'tls', broken: 'claim' },
  IDENTIFIER_REJECTED: { until: 'tls', broken: 'claim' },
  BROKER_UNAVAILABLE: { until: 'claim', broken: 'broker' },
  PROTOCOL: { until: 'dns', broken: 'broker' },
  KEEPALIVE: { until: undefined, broken: 'broker' },
  CLOSED: { until: undefined, broken: 'broker' },
};

/** The same for what the operating system says of a network. */
const shownByReason: { readonly [reason: string]: (typeof shownBy)['NETWORK'] } = {
  ENOTFOUND: { until: undefined, broken: 'dns' },
  EAI_AGAIN: { until: undefined, broken: 'dns' },
  ENETUNREACH: { until: undefined, broken: 'address' },
  ENETDOWN: { until: undefined, broken: 'wifi' },
  EHOSTUNREACH: { until: undefined, broken: 'address' },
  EADDRNOTAVAIL: { until: undefined, broken: 'address' },
  ECONNREFUSED: { until: 'dns', broken: 'broker' },
  ECONNRESET: { until: 'dns', broken: 'broker' },
  ETIMEDOUT: { until: 'dns', broken: 'broker' },
};

function sessionLinks(session: SessionStatus): Findings {
  const { connection } = session;
  const quota = quotaOf(session);
  if (connection.state === 'connected') {
    return {
      ...okUntil('broker'),
      broker: ok('The device is connected.'),
      clock: session.clockTrusted
        ? ok(
            session.clockSource === 'cloud'
              ? 'It is not set from the network; the cloud signed the time.'
              : 'It agrees with the cloud.',
          )
        : broken('The clock is not set from the network; only "stop" is obeyed.'),
      quota,
    };
  }
  const { code, reason = '', detail } = connection;
  if (code === undefined) return { quota };
  const shown = (code === 'NETWORK' ? shownByReason[reason] : undefined) ?? shownBy[code];
  return {
    ...okUntil(shown.until, 'The last attempt came that far.'),
    [shown.broken]: broken(detail ?? code),
    quota,
  };
}

function okUntil(last: LinkName | undefined, detail?: string): Findings {
  const count = last === undefined ? 0 : linkNames.indexOf(last) + 1;
  const names = linkNames.slice(1, count).filter((name) => name !== 'clock');
  return Object.fromEntries(names.map((name) => [name, ok(detail)]));
}

function quotaOf({ outbox, putOff }: SessionStatus): Evidence {
  const dropped = outbox.dropped === 0 ? '' : ` ${outbox.dropped} readings were lost so far.`;
  if (outbox.diskLow)
    return broken(`The disk is nearly full: the oldest readings make room for new ones.${dropped}`);
  if (putOff !== undefined) return broken(`The cloud does not take readings now (${putOff}); they are kept.`);
  return ok(`${outbox.rows} readings wait.${dropped}`);
}
