interface AppCertificates {
  /** CN of the certificate. */
  app_uuid: string;
  user_id: number;
  /** The rights end with it. */
  session_id: string | null;
  /** Lower-case hex. */
  serial: string;
  created_at: Date;
  not_after: Date;
  /** When the broker knew of its rights. */
  admitted_at: Date | null;
  ended_at: Date | null;
}

export interface AppTables {
  app_certificates: AppCertificates;
}
