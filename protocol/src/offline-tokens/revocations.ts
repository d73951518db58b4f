import type { TrustFile } from '../trust.ts';
import { CLOCK_SKEW_MS } from './check-token.ts';
import {
  OFFLINE_TOKEN_MAX_MS,
  parseRevocationsClaims,
  REVOCATIONS_TYPE,
  type RevocationsClaims,
} from './claims.ts';
import { readJws, verifyJws } from './jws.ts';

/** Why a revocation list is not taken. The one that is kept stays. */
export type RevocationsProblem =
  /** Not a list signed by a command key of the trust file. */
  | 'NOT_AUTHENTIC'
  | 'MALFORMED'
  /** Of another cloud or another device. */
  | 'FOREIGN'
  /** Older than the one that is kept: somebody plays back what he recorded. */
  | 'ROLLED_BACK'
  /** Made later than it is now. */
  | 'NOT_YET_VALID';

/** Keeps the newest list that was seen, over restarts too. */
export interface Revocations {
  /** Takes a list as it was fetched. Nothing is undone by one that is refused. */
  accept(
    list: string,
  ): Promise<{ readonly ok: true } | { readonly ok: false; readonly problem: RevocationsProblem }>;
  /** The newest list; `undefined` when none was ever seen. */
  current(): RevocationsClaims | undefined;
  /** Whether the newest list may still be relied upon. */
  isFresh(now: number): boolean;
}

/** Where the newest list is kept; losing it means that only what stops is allowed until the next one came. */
export interface RevocationsStore {
  load(): Promise<string | undefined>;
  /** Durable when the promise resolves. */
  save(list: string): Promise<void>;
}

/** Opens what is kept; a list that does not verify any more counts as none. */
export async function openRevocations(options: {
  readonly issuer: string;
  readonly deviceUuid: string;
  /** Of the trust file. */
  readonly commandKeys: TrustFile['commandKeys'];
  readonly store: RevocationsStore;
  /** Epoch ms; `undefined` when nothing tells the time. */
  readonly now: () => number | undefined;
}): Promise<Revocations> {
  const { issuer, deviceUuid, commandKeys, store, now } = options;

  const read = (list: string) => {
    const jws = readJws(list, REVOCATIONS_TYPE);
    if (!jws.ok) return fail('NOT_AUTHENTIC');
    const key = commandKeys.keys.find(({ kid }) => kid === jws.value.kid);
    const verified = verifyJws(jws.value, key);
    if (!verified.ok) return fail('NOT_AUTHENTIC');
    const parsed = parseRevocationsClaims(verified.value);
    if (!parsed.ok) return fail('MALFORMED');
    const { iss, aud } = parsed.value;
    if (iss !== issuer || aud !== deviceUuid) return fail('FOREIGN');
    return { ok: true, claims: parsed.value } as const;
  };

  const kept = await store.load();
  const opened = kept === undefined ? undefined : read(kept);
  let newest = opened?.ok === true ? opened.claims : undefined;

  return {
    async accept(list) {
      const result = read(list);
      if (!result.ok) return result;
      const { claims } = result;
      const time = now();
      if (time !== undefined && claims.iat * 1_000 > time + CLOCK_SKEW_MS) return fail('NOT_YET_VALID');
      if (newest !== undefined && isOlder(claims, newest)) return fail('ROLLED_BACK');
      await store.save(list);
      newest = claims;
      return { ok: true };
    },
    current: () => newest,
    isFresh(time) {
      if (newest === undefined) return false;
      const { iat, exp } = newest;
      return time < Math.min(exp * 1_000, iat * 1_000 + OFFLINE_TOKEN_MAX_MS);
    },
  };
}

const fail = (problem: RevocationsProblem) => ({ ok: false, problem }) as const;

/** A list of the same version that was made later says the same with a later end. */
function isOlder(list: RevocationsClaims, than: RevocationsClaims): boolean {
  return list.version < than.version || (list.version === than.version && list.iat < than.iat);
}
