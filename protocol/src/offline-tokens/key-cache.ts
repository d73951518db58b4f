import { type DevicePublicKey, parseJwks } from './jwks.ts';

/** Between two fetches, whatever is asked for: random key ids cause no storm. */
const COOL_DOWN_MS = 60_000;
/** How old a set may be before a new one is asked for. */
const MAX_AGE_MS = 600_000;

/** The keys of one device, fetched when needed. */
export interface KeyCache {
  /** The key; after a fetch if it is unknown or the set is old, and a fetch is due. Never throws. */
  find(kid: string): Promise<DevicePublicKey | undefined>;
}

/**
 * Works offline from the last set: one that cannot be fetched leaves the known keys as they are. A fetched set takes
 * the place of the one before, so a key that is no longer in it is refused from then on.
 * @param options.fetchJwks the JSON of `GET /api/devices/{id}/jwks`, see `createJwksFetch`; may throw
 * @param options.load the set that `save` was given last, for a start without network
 * @param options.now milliseconds of any clock that goes forward
 */
export function createKeyCache(options: {
  readonly fetchJwks: () => Promise<unknown>;
  readonly now: () => number;
  readonly load?: () => Promise<unknown>;
  readonly save?: (jwks: { readonly keys: readonly DevicePublicKey[] }) => Promise<void>;
  readonly coolDownMs?: number;
  readonly maxAgeMs?: number;
}): KeyCache {
  const { fetchJwks, now, load, save, coolDownMs = COOL_DOWN_MS, maxAgeMs = MAX_AGE_MS } = options;
  let keys: readonly DevicePublicKey[] = [];
  let fetchedAt: number | undefined;
  let triedAt: number | undefined;
  let running: Promise<void> | undefined;
  let loaded: Promise<void> | undefined;

  const loadOnce = () => {
    loaded ??= (async () => {
      keys = parseJwks(await load?.()) ?? [];
    })().catch(() => undefined);
    return loaded;
  };
  const refresh = () => {
    if (running !== undefined) return running;
    if (triedAt !== undefined && now() - triedAt < coolDownMs) return undefined;
    triedAt = now();
    running = (async () => {
      const fetched = parseJwks(await fetchJwks());
      if (fetched === undefined) return;
      keys = fetched;
      fetchedAt = now();
      await save?.({ keys });
    })()
      // Offline, or an answer that is not one: what is known goes on counting.
      .catch(() => undefined)
      .finally(() => {
        running = undefined;
      });
    return running;
  };

  return {
    async find(kid) {
      await loadOnce();
      const known = () => keys.find((key) => key.kid === kid);
      const isOld = fetchedAt === undefined || now() - fetchedAt >= maxAgeMs;
      if (known() === undefined || isOld) await refresh();
      return known();
    },
  };
}
