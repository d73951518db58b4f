/** Whom an owner lets see his device. */
export interface Share {
  readonly viewerId: string;
  readonly email: string;
  readonly sharedAt: Date;
}

/** Address of the last share of a page. */
export type SharePosition = string;
