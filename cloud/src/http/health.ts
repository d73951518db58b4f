/** Whether a part that the cloud stands on answers; never throws. Absent: this process does not need that part. */
export interface HealthChecks {
  database(): Promise<boolean>;
  broker?(): Promise<boolean> | boolean;
  stateStore?(): Promise<boolean> | boolean;
}

type Part = 'ok' | 'unavailable' | 'unused';

export interface Health {
  readonly status: 'ok' | 'degraded';
  readonly database: Part;
  readonly broker: Part;
  readonly stateStore: Part;
}

/** Asks each part; one that this process does not need is `unused`. */
export async function healthOf(checks: HealthChecks): Promise<Health> {
  const [database, broker, stateStore] = await Promise.all([
    checks.database(),
    checks.broker?.(),
    checks.stateStore?.(),
  ]);
  const word = (good: boolean | undefined): Part =>
    good === undefined ? 'unused' : good ? 'ok' : 'unavailable';
  return {
    status: [database, broker, stateStore].includes(false) ? 'degraded' : 'ok',
    database: word(database),
    broker: word(broker),
    stateStore: word(stateStore),
  };
}

/**
 * Whether requests should be sent to this process. Without the state store it answers from the tables, only slower:
 * were it not ready then, no process would be.
 */
export function isReady({ database, broker }: Health): boolean {
  return database !== 'unavailable' && broker !== 'unavailable';
}
