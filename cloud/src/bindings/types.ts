/** A user and a device that is, or was, his. */
export interface Binding {
  readonly deviceUuid: string;
  readonly assignment: number;
  readonly userId: string;
  readonly email: string;
  readonly boundAt: Date;
  readonly unboundAt: Date | null;
}

export interface BindingQuery {
  readonly active: boolean | undefined;
  /** `assignments.id` of the last one of the page before. */
  readonly after: number | undefined;
  readonly limit: number;
}
