/** What a simulated device needs to speak as a real one does. */
export interface FleetDevice {
  readonly deviceUuid: string;
  readonly cpuSerial: string;
  readonly componentId: number;
  /** Shared secret, base64. */
  readonly secret: string;
  readonly keyPem: string;
  /** Leaf, then intermediate. */
  readonly chainPem: string;
  /** Lower-case hex. */
  readonly certificateSerial: string;
}

/** What the process of the fleet reads from its file at start; it holds keys, so only its owner may read it. */
export interface FleetPlan {
  readonly mqttPort: number;
  readonly rootPem: string;
  readonly userEmail: string;
  /** Names the shared secrets; the first of the first assignment of each device. */
  readonly kid: string;
  readonly hardware: { readonly version: string; readonly variant: string };
  readonly componentType: string;
  readonly metric: string;
  readonly devices: readonly FleetDevice[];
}

/** One run, from the parent. */
export interface FleetOrder {
  readonly messagesPerDevice: number;
  readonly readingsPerMessage: number;
  /** Most unacknowledged messages of all devices together; none: nobody acknowledges, TCP alone holds them back. */
  readonly inFlight: number | undefined;
  /** Messages a second of all devices together, evenly spread; absent: as fast as they are answered. */
  readonly messagesPerSecond?: number;
}

/** What the fleet says to its parent. */
export type FleetReport =
  | { readonly event: 'connected' }
  /** Everything is signed and waits for `go`. */
  | { readonly event: 'prepared'; readonly bytesPerMessage: number }
  | { readonly event: 'progress'; readonly readings: number }
  | ({ readonly event: 'done' } & FleetResult)
  | { readonly event: 'failed'; readonly reason: string };

export interface FleetResult {
  readonly acknowledged: number;
  readonly rejected: number;
  /** Over the middle 80 % of the readings. */
  readonly readingsPerSecond: number;
  /** From the write of a message to its acknowledgement. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly cpuSeconds: number;
}

/** What the parent says to the fleet. */
export type FleetCommand = { readonly prepare: FleetOrder } | { readonly go: true } | { readonly end: true };
