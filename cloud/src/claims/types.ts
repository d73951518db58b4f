export interface ClaimsConfig {
  /** Where the claimed device completes the claim. */
  readonly deviceApiUrl: string;
  /** Claims that a user may ask for in an hour, refused ones included. */
  readonly claimsPerHour: number;
}

export const claimsDefaults = { claimsPerHour: 20 } as const satisfies Partial<ClaimsConfig>;

/** What the app read from the device. */
export interface ClaimRequest {
  readonly cpuSerial: string;
  readonly deviceUuid: string;
  readonly identityKeyHash: string;
}

export interface PendingClaim {
  readonly claimId: string;
  /** For the device; stored only as its SHA-256. */
  readonly nonce: string;
  readonly expiresAt: string;
  readonly deviceApiUrl: string;
}
