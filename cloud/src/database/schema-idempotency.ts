/** Tables of `idempotency/`. */
export interface IdempotencyTables {
  idempotency_keys: {
    user_id: number;
    key: string;
    /** SHA-256 of what was asked. */
    fingerprint: Buffer;
    created_at: Date;
    /** `null` while the request is served, or when nobody knows how it ended. */
    status: number | null;
    sealed_answer: Buffer | null;
  };
}
