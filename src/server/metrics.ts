/** `/metrics` in Prometheus' text format, and how long requests take. */
import type { FastifyPluginAsync } from 'fastify';
import { Histogram, type Registry } from 'prom-client';
import { Type } from 'typebox';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function metricsRoutes(registry: Registry): FastifyPluginAsync {
  return async (app) => {
    app.get(
      '/metrics',
      {
        config: { access: 'public' },
        schema: {
          tags: ['operation'],
          summary: 'Metrics for Prometheus',
          response: { 200: { description: 'Text exposition format', content: { 'text/plain': { schema: Type.String() } } } },
        },
      },
      async (_request, reply) => {
        reply.header('content-type', registry.contentType).header('cache-control', 'no-store');
        return registry.metrics();
      },
    );
  };
}

/** Observes a request: `observe(seconds)` by method, route (its pattern, never the path that was asked for) and status. */
export type RequestObserver = (method: string, route: string, status: number, seconds: number) => void;

export function requestObserver(registry: Registry): RequestObserver {
  const histogram = new Histogram({
    name: 'playproof_http_request_seconds',
    help: 'Time from the headers of a request to the end of its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers: [registry],
  });
  return (method, route, status, seconds) => histogram.observe({ method, route, status: String(status) }, seconds);
}
