/** Classes 08 and 53, and shutdown states of 57P (PostgreSQL, appendix A); or the socket's own codes. */
const AWAY = /^(08...|57P0[1-5]|53...|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)$/;
/** What `pg` says without a code when the server has hung up or does not answer. */
const HUNG_UP =
  /^(Connection terminated|Client has encountered a connection error|timeout (expired|exceeded when trying to connect))/;

/** Whether the database cannot be used right now, as opposed to having refused what it was asked. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined) return HUNG_UP.test(error.message);
  return AWAY.test(code) || (code === 'ENOENT' && syscall === 'connect');
}
