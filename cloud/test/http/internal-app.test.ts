import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPinoLogger } from '../../src/adapters/pino-logger.ts';
import { createPromMetrics } from '../../src/adapters/prom-metrics.ts';
import { createInternalApp } from '../../src/http/internal-app.ts';
import { type HttpListener, listenPublic } from '../../src/http/listener.ts';

const closing = new AbortController();
const ending = new AbortController();
const metrics = createPromMetrics();
let broker = true;
let stateStore: boolean | undefined;
let stored = 0;
let listener: HttpListener;

beforeAll(async () => {
  metrics.show({
    name: 'ares_readings_stored_total',
    help: 'Stored',
    type: 'counter',
    read: () => stored,
  });
  const log = createPinoLogger({ level: 'silent' });
  const health = {
    database: async () => true,
    broker: () => broker,
    stateStore: () => stateStore as boolean,
  };
  const app = createInternalApp({ health, metrics, closing: ending.signal, log });
  listener = await listenPublic(app, { host: '127.0.0.1', port: 0 }, closing);
});
afterAll(() => listener.close());

const get = async (path: string, method = 'GET') => {
  const answer = await fetch(`http://127.0.0.1:${listener.port}${path}`, { method });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
};

it('says which part is missing, and which this process does not need', async () => {
  expect(JSON.parse((await get('/healthz')).text)).toEqual({
    status: 'ok',
    database: 'ok',
    broker: 'ok',
    stateStore: 'unused',
  });
  broker = false;
  const degraded = await get('/readyz');
  broker = true;
  expect(degraded.status).toBe(503);
  expect(JSON.parse(degraded.text)).toMatchObject({ status: 'degraded', broker: 'unavailable' });
});

it('NET-03 takes requests without the state store, and says that it is missing', async () => {
  stateStore = false;
  const [healthy, ready] = [await get('/healthz'), await get('/readyz')];
  stateStore = undefined;
  expect([healthy.status, ready.status]).toEqual([503, 200]);
  expect(JSON.parse(ready.text)).toMatchObject({ status: 'degraded', stateStore: 'unavailable' });
});

it('shows numbers as they are when asked, a counter never lower than before', async () => {
  stored = 7;
  expect((await get('/metrics')).text).toMatch(/^ares_readings_stored_total 7$/m);
  stored = 3;
  metrics.requestServed({ route: 'login', status: 200, seconds: 0.02 });
  const { text, type } = await get('/metrics');
  expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(text).toMatch(/^ares_readings_stored_total 7$/m);
  expect(text).toContain('ares_http_request_duration_seconds_count{route="login",status="200"} 1');
  expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
});

it('has nothing else, and changes nothing', async () => {
  expect((await get('/')).status).toBe(404);
  expect((await get('/api/devices')).status).toBe(404);
  expect((await get('/metrics', 'POST')).status).toBe(405);
});

it('wants no more requests when it ends', async () => {
  ending.abort();
  const answer = await get('/readyz');
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.text)).toMatchObject({ status: 'draining' });
  expect((await get('/healthz')).status).toBe(200);
});
