type Write = (fields: Record<string, unknown>, message: string) => void;

/** Structured log; a pino logger fits. Never give it a secret. */
export interface Logger {
  debug: Write;
  info: Write;
  warn: Write;
  error: Write;
}
