import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from '../ports/metrics.ts';

/** Metrics of this process by prom-client, with those of Node itself. */
export function createPromMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'ares_http_request_duration_seconds',
    help: 'Time from the request to the end of its answer, by route of the contract and status',
    labelNames: ['route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  return {
    show({ name, help, type, read }) {
      if (type === 'gauge') {
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(read());
          },
        });
        return;
      }
      let shown = 0;
      new Counter({
        name,
        help,
        registers,
        collect() {
          const now = read();
          if (now > shown) this.inc(now - shown);
          shown = Math.max(shown, now);
        },
      });
    },
    requestServed: ({ route, status, seconds }) => requests.observe({ route, status }, seconds),
    exposition: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}
