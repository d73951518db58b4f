/** A phone that is connected. */
export interface PeripheralConnection {
  /** Bytes that one notification carries now: ATT MTU - 3. It grows when the phone asks for a larger MTU. */
  readonly mtuPayload: number;
  /** Sets the one listener for writes to `request`. */
  onWrite(listener: (chunk: Uint8Array) => void): void;
  /** Sets the one listener for the end of the connection, whoever ends it. */
  onDisconnect(listener: () => void): void;
  /** One notification of `response`. @throws when the link is gone */
  notify(chunk: Uint8Array): Promise<void>;
  disconnect(reason: string): void;
}

/** The radio as a GATT server with the one service of Ares. One connection at a time. */
export interface BlePeripheral {
  /** Opens the radio; not found by anybody yet. @throws when the radio cannot be used */
  open(handlers: {
    /** Bytes of the `info` characteristic, read anew for each read. */
    info(): Uint8Array;
    connected(connection: PeripheralConnection): void;
    /** The radio stopped working, for good; nothing more will come. */
    failed(error: Error): void;
  }): Promise<void>;
  /** Whether phones can find it and connect. A connection that stands is not touched. */
  setAdvertising(on: boolean): void;
  close(): Promise<void>;
}
