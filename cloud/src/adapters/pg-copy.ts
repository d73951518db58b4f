import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Client, Connection, Submittable } from 'pg';

/** Rows that wait here before the database is told to hold on. */
const WAITING_BYTES = 4_194_304;

/** The parts of `pg`'s connection that copying needs. */
type CopyConnection = Connection & {
  readonly stream: Duplex;
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
};

/** Rows of a `copy … to stdout` as they come; the socket is paused while too many wait. */
export async function* copyOut(client: Client, sql: string): AsyncGenerator<Uint8Array> {
  const copy = new CopyOut(sql);
  client.query(copy);
  try {
    for (;;) {
      const rows = copy.take();
      if (rows.length > 0) yield Buffer.concat(rows);
      else if (copy.error !== undefined) throw copy.error;
      else if (copy.ended) return;
      else await copy.news();
    }
  } finally {
    // Whoever stops in the middle leaves a session that is of no further use.
    if (!copy.ended) copy.connection?.stream.destroy();
  }
}

class CopyOut implements Submittable {
  readonly #sql: string;
  #rows: Uint8Array[] = [];
  #bytes = 0;
  #wake: () => void = () => undefined;
  connection: CopyConnection | undefined;
  error: Error | undefined;
  ended = false;

  constructor(sql: string) {
    this.#sql = sql;
  }
  submit(connection: Connection): void {
    this.connection = connection as CopyConnection;
    connection.query(this.#sql);
  }
  take(): readonly Uint8Array[] {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    this.connection?.stream.resume();
    return rows;
  }
  news(): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake;
    });
  }
  handleCopyData({ chunk }: { chunk: Uint8Array }): void {
    // A copy: the parser goes on using what it is a part of.
    this.#rows.push(Buffer.from(chunk));
    this.#bytes += chunk.length;
    if (this.#bytes > WAITING_BYTES) this.connection?.stream.pause();
    this.#wake();
  }
  handleCommandComplete(): void {}
  handleReadyForQuery(): void {
    this.ended = true;
    this.#wake();
  }
  handleError(error: Error): void {
    this.error = error;
    this.ended = true;
    this.#wake();
  }
}

/** Sends a `copy … from stdin`. @returns how many rows the database took */
export async function copyIn(
  client: Client,
  sql: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<number> {
  const copy = new CopyIn(sql, chunks);
  client.query(copy);
  return await copy.done;
}

class CopyIn implements Submittable {
  readonly #sql: string;
  readonly #chunks: AsyncIterable<Uint8Array>;
  readonly #result = Promise.withResolvers<number>();
  /** What went wrong with the source: it says more than the database's own words about it. */
  #cause: unknown;
  #rows = 0;
  #over = false;
  readonly done = this.#result.promise;

  constructor(sql: string, chunks: AsyncIterable<Uint8Array>) {
    this.#sql = sql;
    this.#chunks = chunks;
  }
  submit(connection: Connection): void {
    connection.query(this.#sql);
  }
  handleCopyInResponse(connection: Connection): void {
    void this.#send(connection as CopyConnection);
  }
  async #send(connection: CopyConnection): Promise<void> {
    try {
      for await (const chunk of this.#chunks) {
        // The database has refused a row already.
        if (this.#over) return;
        connection.sendCopyFromChunk(chunk);
        if (connection.stream.writableNeedDrain) await once(connection.stream, 'drain');
      }
      if (!this.#over) connection.endCopyFrom();
    } catch (error) {
      this.#cause = error;
      if (!this.#over) connection.sendCopyFail('the source failed');
    }
  }
  handleCommandComplete({ text }: { text: string }): void {
    this.#rows = Number(text.split(' ')[1]);
  }
  handleReadyForQuery(): void {
    this.#over = true;
    this.#result.resolve(this.#rows);
  }
  handleError(error: Error): void {
    this.#over = true;
    this.#result.reject((this.#cause as Error | undefined) ?? error);
  }
}
