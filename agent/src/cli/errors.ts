/** A command cannot do what was asked; the message says why and what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code = 'NOT_POSSIBLE';
}
