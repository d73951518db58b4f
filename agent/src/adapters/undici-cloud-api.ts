import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { describeIssues, type ProblemCode, parseWith, problemCodes } from '@ares/protocol';
import {
  challengeAnswerSchema,
  credentialsAnswerSchema,
  deviceApiPaths,
  deviceComponentsSchema,
  standingAnswerSchema,
  timeAnswerSchema,
} from '@ares/protocol/http/device';
import { Agent, type buildConnector, request } from 'undici';
import type * as z from 'zod/mini';
import type { CloudEndpoint } from '../ports/child-jobs.ts';
import { type CloudApi, CloudApiError } from '../ports/cloud-api.ts';
import { toCloudApiError } from './cloud-api-errors.ts';
import { connectByKnownTime } from './tls-by-known-time.ts';

/** No answer of the device API comes near; a list of 64 components with all their types has about 40 KB. */
const MAX_ANSWER_BYTES = 512 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 30_000;

/** The cloud's device listener over HTTPS. The authorities of the trust file are the only ones believed. */
export function createUndiciCloudApi(endpoint: CloudEndpoint): CloudApi {
  const base = new URL(endpoint.apiUrl);
  const hostname = base.hostname.replace(/^\[|\]$/g, '');
  const port = base.port === '' ? 443 : Number(base.port);
  const ca = [...endpoint.caCertificates];
  const { knownTime } = endpoint;
  const client = endpoint.client && {
    cert: endpoint.client.certificateChain,
    key: endpoint.client.privateKeyPem,
  };
  const agentBy = (connect: buildConnector.BuildOptions | buildConnector.connector) =>
    new Agent({
      connections: 1,
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
      connect,
    });
  const byTime =
    (time: number | 'ask'): buildConnector.connector =>
    (_, done) => {
      const opening = connectByKnownTime({
        host: hostname,
        port,
        ca,
        time,
        timeoutMs: CONNECT_TIMEOUT_MS,
        client: time === 'ask' ? undefined : client,
      });
      opening.then(
        (socket) => done(null, socket),
        (error: Error) => done(error, null),
      );
    };
  const agent = agentBy(
    knownTime === undefined
      ? { ca, timeout: CONNECT_TIMEOUT_MS, minVersion: 'TLSv1.2', rejectUnauthorized: true, ...client }
      : byTime(knownTime),
  );

  async function call<S extends z.core.$ZodType>(
    schema: S | undefined,
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    signal: AbortSignal,
    dispatcher = agent,
  ): Promise<z.core.output<S> | undefined> {
    try {
      const answer = await request(new URL(base.pathname.replace(/\/$/, '') + path, base), {
        method,
        dispatcher,
        signal,
        headers: {
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await readBounded(answer.body);
      if (answer.statusCode < 200 || answer.statusCode > 299) {
        throw refusal(answer.statusCode, answer.headers['retry-after'], text);
      }
      return schema === undefined ? undefined : parseAnswer(schema, text);
    } catch (cause) {
      throw toCloudApiError(cause);
    }
  }
  const post = async <S extends z.core.$ZodType>(
    schema: S,
    path: string,
    body: unknown,
    signal: AbortSignal,
  ) => (await call(schema, 'POST', path, body, signal)) as z.core.output<S>;

  return {
    apiHost: `${base.hostname}:${port}`,
    async reach(signal) {
      try {
        if (isIP(hostname) === 0) await lookup(hostname);
        if (knownTime === undefined) await handshake({ hostname, port, ca, signal });
        else {
          const to = { host: hostname, port, ca, time: knownTime, timeoutMs: CONNECT_TIMEOUT_MS, signal };
          (await connectByKnownTime(to)).destroy();
        }
      } catch (cause) {
        throw toCloudApiError(cause);
      }
    },
    challenge: async (deviceUuid, signal) =>
      (await post(challengeAnswerSchema, deviceApiPaths.challenges, { deviceUuid }, signal)).nonce,
    credentials: (body, signal) => post(credentialsAnswerSchema, deviceApiPaths.credentials, body, signal),
    standing: async (body, signal) =>
      (await post(standingAnswerSchema, deviceApiPaths.standing, body, signal)).standing,
    time: async (nonce, signal) => {
      // Made for the one call that needs it.
      const dispatcher = agentBy(byTime('ask'));
      try {
        const path = deviceApiPaths.time;
        return (await call(timeAnswerSchema, 'POST', path, { nonce }, signal, dispatcher))!.time;
      } finally {
        await dispatcher.destroy();
      }
    },
    resetReceipt: async (body, signal) => {
      await call(undefined, 'POST', deviceApiPaths.resetReceipt, body, signal);
    },
    components: async (deviceUuid, signal) => {
      const path = deviceApiPaths.components(deviceUuid);
      return (await call(deviceComponentsSchema, 'GET', path, undefined, signal))!;
    },
    close: () => agent.destroy(),
  };
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) {
      throw new CloudApiError(
        'ANSWER_TOO_LARGE',
        `The cloud's answer has more than ${MAX_ANSWER_BYTES} bytes.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseAnswer<S extends z.core.$ZodType>(schema: S, text: string): z.core.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CloudApiError('ANSWER_INVALID', "The cloud's answer is not JSON.");
  }
  const parsed = parseWith(schema, value);
  if (parsed.ok) return parsed.value;
  throw new CloudApiError(
    'ANSWER_INVALID',
    `The cloud's answer is not valid: ${describeIssues(parsed.issues)}`,
  );
}

function refusal(status: number, retryAfter: string | string[] | undefined, text: string): CloudApiError {
  const seconds = Number(retryAfter);
  const retryAfterSeconds = Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 3_600) : undefined;
  const problem = problemOf(text);
  const code = status === 429 || status >= 500 ? 'UNAVAILABLE' : 'REFUSED';
  return new CloudApiError(
    code,
    `The cloud answered ${status} ${problem?.code ?? ''} ${problem?.detail ?? ''}`.trim(),
    {
      problem: problem?.code,
      retryAfterSeconds,
    },
  );
}

function problemOf(text: string): { code: ProblemCode; detail: string } | undefined {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    const known = problemCodes.find((candidate) => candidate === code);
    return known && { code: known, detail: typeof detail === 'string' ? detail.slice(0, 300) : '' };
  } catch {
    return undefined;
  }
}

function handshake(to: { hostname: string; port: number; ca: string[]; signal: AbortSignal }): Promise<void> {
  const { hostname, port, ca, signal } = to;
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      host: hostname,
      port,
      ca,
      ...(isIP(hostname) === 0 && { servername: hostname }),
    });
    const settle = (error?: Error) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    const onAbort = () => settle(new CloudApiError('ABORTED', 'The attempt was given up.'));
    signal.addEventListener('abort', onAbort);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () =>
      settle(new CloudApiError('TIMEOUT', `No answer from ${hostname}:${port}.`)),
    );
    socket.once('secureConnect', () => settle());
    socket.once('error', settle);
  });
}
