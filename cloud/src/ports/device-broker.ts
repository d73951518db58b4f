/** What a broker's listener presents and checks, PEM. */
export interface BrokerTls {
  readonly keyPem: string;
  /** Leaf, then intermediate. */
  readonly chainPem: string;
  /** The root of the trust file. */
  readonly rootPem: string;
  /** One list per CA; both are needed, and one that has expired refuses everybody. */
  readonly crls: readonly string[];
}

/** Apps that may connect, by the name in their certificate. */
export type AppRights = ReadonlyMap<string, { readonly userEmail: string; readonly serial: string }>;

/** The part of a broker, in this process or beside it, that the cloud directs. */
export interface DeviceBroker {
  /**
   * New certificate or revocation lists, for connections to come; those that live are ended by `endSession`.
   * @throws when they cannot be used: the old ones stay in force
   */
  setTls(tls: BrokerTls): Promise<void> | void;
  /** Ends the device's connection, its will included, and any that is being let in. */
  endSession(deviceUuid: string, reason: string): void;
  /**
   * Ends every device's connection whose certificate `refused` names, for when it is not known whose has changed.
   * @throws what `refused` throws; then nothing was ended
   */
  recheckSessions(refused: (serials: readonly string[]) => Promise<ReadonlySet<string>>): Promise<void>;
  /** From now on these apps have rights and no others; connections of others end. */
  syncApps(apps: AppRights): Promise<void>;
  /** Devices that are connected now. */
  connectedDevices(): readonly string[];
  close(): Promise<void>;
}
