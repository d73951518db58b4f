/**
 * The one place where an OpenAPI path (`/api/devices/{id}`) becomes one of @koa/router (`/api/devices/:id`).
 * Given as it is, the router reads `{id}` as an optional literal and matches `/api/devices/id` and nothing else.
 * @throws {TypeError} for anything that the router would read in a way of its own
 */
export function toRouterPath(path: string): string {
  const converted = path.replace(/\{([A-Za-z][A-Za-z0-9]*)\}/g, ':$1');
  if (path !== '/' && !/^(\/(:?[A-Za-z][A-Za-z0-9]*|\.?[a-z][a-z0-9.-]*))+$/.test(converted)) {
    throw new TypeError(
      `The path ${path} of the contract is not made of plain segments and {names}: the router would misread it.`,
    );
  }
  return converted;
}
