/** What a process counts for its operator. Names and units follow the conventions of Prometheus. */
export interface Metrics {
  /** A number that is read when somebody asks; a `counter` never falls while the process runs. */
  show(metric: {
    readonly name: `ares_${string}`;
    readonly help: string;
    readonly type: 'counter' | 'gauge';
    readonly read: () => number;
  }): void;
  requestServed(request: {
    /** `id` of the contract's route. */
    readonly route: string;
    readonly status: number;
    readonly seconds: number;
  }): void;
  /** Everything in the text format of Prometheus. */
  exposition(): Promise<{ readonly contentType: string; readonly body: string }>;
}
