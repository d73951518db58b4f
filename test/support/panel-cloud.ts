import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { ProblemError } from '@ares/protocol';
import { contract, isStreamable, type Route } from '@ares/protocol/http';
import { eventFrame } from '../../cloud/src/http/event-stream.ts';
import type { PanelAssets } from '../../cloud/src/panel/assets.ts';
import { createPanelWorld, type PanelWorld, type WorldRequest } from './panel-world.ts';

/** What the panel talks to in its tests: the real assets, and the HTTP contract over a world in memory. */
export interface PanelCloud {
  readonly url: string;
  readonly world: PanelWorld;
  /** `METHOD path?query` of each request to the API, in order. */
  readonly requests: readonly string[];
  /** `authorization` of each stream that was opened. */
  readonly streams: readonly (string | undefined)[];
  /** Sends the state of a device to every open stream. */
  push(deviceUuid: string): void;
  /** Ends every stream; while `refuse` holds, new ones get 503. */
  cutStreams(options?: { refuse: boolean }): void;
  close(): Promise<void>;
}

export async function startPanelCloud(assets: PanelAssets): Promise<PanelCloud> {
  const world = createPanelWorld();
  const requests: string[] = [];
  const streams: (string | undefined)[] = [];
  const open = new Set<http.ServerResponse>();
  let refusing = false;

  const answer = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://panel');
    const asset = request.method === 'GET' ? assets.lookup(url.pathname) : undefined;
    if (asset !== undefined) {
      response.writeHead(200, asset.headers).end(asset.body);
      return;
    }
    requests.push(`${request.method} ${url.pathname}${url.search}`);
    const found = findRoute(request.method ?? '', url.pathname);
    if (found === undefined) throw new ProblemError('NOT_FOUND', `There is nothing at ${url.pathname}.`);
    const { route, params } = found;
    const authorization = request.headers.authorization;
    if (route.policy !== 'anyone') world.admit(authorization);
    if (route.id === 'events') {
      if (refusing) throw new ProblemError('UNAVAILABLE', 'No streams now.');
      streams.push(authorization);
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
      });
      response.write(': connected\n\n');
      open.add(response);
      response.once('close', () => open.delete(response));
      return;
    }
    const call: WorldRequest = {
      params: (route.params?.parse(params) ?? {}) as WorldRequest['params'],
      query: (route.query?.parse(Object.fromEntries(url.searchParams)) ?? {}) as WorldRequest['query'],
      body: route.body === undefined ? undefined : route.body.parse(JSON.parse(await textOf(request))),
      authorization,
    };
    const handler = world.handlers[route.id];
    if (handler === undefined) throw new ProblemError('INTERNAL', `The test has no ${route.id}.`);
    const { status, body } = await handler(call);
    const success = route.success[status];
    const schema = isStreamable(success) ? success.json : success;
    if (schema === null) response.writeHead(status).end();
    else if (schema === undefined || schema === 'event-stream')
      throw new TypeError(`${route.id} → ${status}`);
    else {
      // The fake may not say what the contract does not allow; asked before anything is sent.
      const checked = JSON.stringify(schema.parse(body));
      response.writeHead(status, { 'content-type': 'application/json' }).end(checked);
    }
  };

  const server = http.createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const problem = error instanceof ProblemError ? error : new ProblemError('INTERNAL', String(error));
      response.writeHead(problem.status, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify(problem.toDetails(randomUUID())));
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    world,
    requests,
    streams,
    push(deviceUuid) {
      const frame = eventFrame({ event: 'state', data: world.stateOf(deviceUuid) });
      for (const stream of open) stream.write(frame);
    },
    cutStreams(options) {
      refusing = options?.refuse ?? false;
      for (const stream of open) stream.destroy();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function findRoute(
  method: string,
  path: string,
): { route: Route; params: Record<string, string> } | undefined {
  for (const route of Object.values<Route>(contract)) {
    if (route.method !== method || !route.listeners.includes('public')) continue;
    const pattern = new RegExp(`^${route.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    const match = pattern.exec(path);
    if (match !== null) return { route, params: { ...match.groups } };
  }
  return undefined;
}

async function textOf(request: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
