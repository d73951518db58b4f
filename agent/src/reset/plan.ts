/** What a reset does, one effect each; every step may be repeated. */
export type ResetStep =
  | 'wipe-credentials'
  | 'wipe-outbox'
  | 'wipe-onboarding'
  | 'send-receipt'
  | 'wipe-wifi'
  | 'remove-marker';

/** Why the device forgets its owner. */
export type ResetCause = 'order' | 'released' | 'button' | 'cli';

/** What must survive until the end, because the first step destroys where it comes from. */
export interface ResetOrigin {
  readonly cause: ResetCause;
  /** `jti` of the order; `null` by button or CLI. */
  readonly orderId: string | null;
  /** Where the receipt goes; `null` when the device never belonged to anybody. */
  readonly cloud: { readonly apiUrl: string; readonly assignment: number } | null;
}

/**
 * Everything of the owner's goes first, while a power cut can still be answered by going on; Wi-Fi goes last,
 * because the receipt needs it. UUID, identity key, setup code, trust file, counters and journal stay.
 */
export function planReset(origin: ResetOrigin): readonly ResetStep[] {
  return [
    'wipe-credentials',
    'wipe-outbox',
    'wipe-onboarding',
    ...(origin.cloud === null ? [] : (['send-receipt'] as const)),
    'wipe-wifi',
    'remove-marker',
  ];
}
