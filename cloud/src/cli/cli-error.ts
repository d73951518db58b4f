/** A mistake that one line explains; the program ends with status 1. */
export class CliError extends Error {
  override readonly name = 'CliError';
}
