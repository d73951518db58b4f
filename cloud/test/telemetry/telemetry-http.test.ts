import { fetchText } from '@ares/protocol/http';
import { sql } from 'kysely';
import { fetch } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import type { Handlers } from '../../src/http/handlers.ts';
import { createTelemetryQueries, type TelemetryQueries } from '../../src/telemetry/query-service.ts';
import { defaultRetention } from '../../src/telemetry/retention.ts';
import { telemetryRoutes } from '../../src/telemetry/routes.ts';
import { type HttpWorld, httpWorld } from '../support/http-world.ts';
import { until } from '../support/quiet.ts';

let world: HttpWorld;
afterEach(() => world?.close());

/** A device with `count` readings of one component, a second apart until now, behind the real listener. */
async function withReadings(count: number) {
  const counted = { batches: 0, ended: 0 };
  let real: Pick<Handlers, 'telemetry'> | undefined;
  world = await httpWorld({ handlers: { telemetry: (context) => real!.telemetry(context) } });
  const { database, clock } = world;
  const queries = createTelemetryQueries({ database, clock, retention: defaultRetention });
  const counting: TelemetryQueries = {
    ...queries,
    stream(scope, query) {
      const found = queries.stream(scope, query);
      return {
        ...found,
        batches: (async function* () {
          try {
            for await (const batch of found.batches) {
              counted.batches += 1;
              yield batch;
            }
          } finally {
            counted.ended += 1;
          }
        })(),
      };
    },
  };
  real = telemetryRoutes(counting);
  const owner = await world.person();
  const device = await world.device(owner);
  // A type of a driver by others, with a unit that a spreadsheet would run.
  const definition = {
    componentType: 'probe',
    kind: 'sensor',
    pinRoles: [],
    metrics: [{ metric: 't', unit: '=1+1', min: -9, max: 9e9, stateKey: 't' }],
    actions: [],
    sampleIntervalMs: 1_000,
  };
  await sql`with type as (
      insert into supported_components (component_type, definition) values ('probe', ${JSON.stringify(definition)})
      returning id), metric as (
      insert into metrics (component_type_id, metric) select id, 't' from type returning id, component_type_id),
    component as (
      insert into attached_components (device_id, assignment_id, component_type_id, pins, config)
      select ${device.deviceId}, ${device.assignmentId}, component_type_id, '{}', '{}' from metric returning id)
    insert into telemetry_data
      select ${device.deviceId}, 1, c.id, m.id, 0, i, ${new Date(clock.now())}::timestamptz - i * interval '1 second', -i
      from component c, metric m, generate_series(1, ${count}::int) i`.execute(database.db);
  const url = `${world.url}/api/devices/${device.deviceUuid}/telemetry`;
  const authorization = `Bearer ${owner.accessToken}`;
  const get = (query = '', headers: Record<string, string> = {}, signal?: AbortSignal) =>
    fetch(url + query, { headers: { authorization, ...headers }, ...(signal && { signal }) });
  return { owner, device, url, get, counted };
}

describe('readings by HTTP', () => {
  it('come as CSV that no spreadsheet runs, as NDJSON and as JSON, by the query or by Accept', async () => {
    const { get, owner, device } = await withReadings(3);
    const csv = await get('?format=csv');
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(csv.headers.get('content-disposition')).toMatch(
      /^attachment; filename="telemetry-[0-9a-f-]+-raw\.csv"$/,
    );
    const text = await csv.text();
    const lines = text.trim().split('\r\n');
    expect(lines[0]).toBe('measuredAt,componentId,componentType,metric,unit,value,timeEstimated,quality');
    expect(lines[1]).toMatch(/^\d{4}-.*Z,\d+,probe,t,'=1\+1,-1,false,good$/);
    expect(lines).toHaveLength(4);
    expect(await (await get('', { accept: 'text/csv' })).text()).toBe(text);

    const ndjson = await (await get('?order=asc', { accept: 'application/x-ndjson' })).text();
    const objects = ndjson
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { value: number });
    expect(objects.map(({ value }) => value)).toEqual([-3, -2, -1]);
    const json = await (await get('?order=asc&format=json', { accept: 'text/csv' })).json();
    expect(json).toEqual({ resolution: 'raw', items: objects, nextCursor: null });

    let streamed = '';
    const pieces = await fetchText(
      { baseUrl: world.url, fetch, accessToken: () => owner.accessToken },
      'telemetry',
      'csv',
      { params: { id: device.deviceUuid } },
    );
    for await (const piece of pieces) streamed += piece;
    expect(streamed).toBe(text);
  });

  it('are paged by a cursor of their own list', async () => {
    const { get } = await withReadings(25);
    const seen: number[] = [];
    let cursor = '';
    do {
      const page = (await (await get(`?limit=10${cursor && `&cursor=${cursor}`}`)).json()) as {
        items: { value: number }[];
        nextCursor: string | null;
      };
      seen.push(...page.items.map(({ value }) => value));
      cursor = page.nextCursor ?? '';
    } while (cursor !== '');
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => -1 - i));
    const foreign = await get(`?cursor=${Buffer.from('[1]').toString('base64url')}`);
    expect(await foreign.json()).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
  });

  it('API-01 are not there for a stranger, in no format', async () => {
    const { url } = await withReadings(3);
    const stranger = await world.person();
    for (const format of ['json', 'csv', 'ndjson']) {
      const answer = await fetch(`${url}?format=${format}`, {
        headers: { authorization: `Bearer ${stranger.accessToken}` },
      });
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      await answer.body?.cancel();
    }
  });

  it('API-04 are taken from the database no faster than they are read, and no more once the client is gone', async () => {
    const { get, counted } = await withReadings(60_000);
    const whole = await (await get('?format=ndjson')).text();
    expect(whole.trim().split('\n')).toHaveLength(60_000);
    const all = counted.batches;
    expect(all).toBeGreaterThanOrEqual(60);

    counted.batches = 0;
    const client = new AbortController();
    const answer = await get('?format=ndjson', {}, client.signal);
    let still = -1;
    await until(async () => {
      await new Promise((next) => setTimeout(next, 100));
      const same = still === counted.batches;
      still = counted.batches;
      return same;
    }, 'the database to be left in peace');
    expect(counted.batches).toBeLessThan(all / 2);
    expect(counted.ended).toBe(1);
    client.abort();
    await answer.text().catch(() => undefined);
    await until(() => counted.ended === 2, 'the end of the query');
    expect(counted.batches).toBeLessThanOrEqual(still + 1);
  });
});
