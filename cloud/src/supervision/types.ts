export interface SecurityEventView {
  readonly eventId: number;
  readonly at: Date;
  readonly code: string;
  readonly detail: Record<string, unknown>;
}

export interface AlertView {
  readonly alertId: number;
  readonly at: Date;
  readonly kind: string;
  readonly deviceUuid: string | null;
  readonly detail: Record<string, unknown>;
  readonly resolvedAt: Date | null;
  readonly resolution: string | null;
}

export interface EventQuery {
  readonly code?: string | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** Id of the last one of the page before. */
  readonly after?: number | undefined;
  readonly limit: number;
}

export interface AlertQuery {
  readonly open?: boolean | undefined;
  readonly kind?: string | undefined;
  readonly deviceUuid?: string | undefined;
  readonly after?: number | undefined;
  readonly limit: number;
}
