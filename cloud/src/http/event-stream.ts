/** One frame of `text/event-stream` (HTML Standard, 9.2). `data` becomes one line of JSON. */
export function eventFrame(frame: {
  readonly event: string;
  readonly id?: string;
  readonly data: unknown;
}): string {
  const id = frame.id === undefined ? '' : `id: ${frame.id}\n`;
  return `event: ${frame.event}\n${id}data: ${JSON.stringify(frame.data)}\n\n`;
}
