import type {
  BodyOf,
  Contract,
  JsonOf,
  ParamsOf,
  policies,
  QueryOf,
  Route,
  RouteId,
  Streamable,
  TextFormat,
} from '@ares/protocol/http';
import type { z } from 'zod';
import type { Caller } from '../accounts/types.ts';
import type { DeviceAccess, HistoryAccess } from '../devices/types.ts';
import type { IfMatch } from './conditional.ts';

export type { Caller, DeviceAccess, HistoryAccess };

/** The device whose certificate was presented, is in time and stands as ACTIVE in the table at this request. */
export interface DevicePeer {
  readonly deviceId: number;
  readonly deviceUuid: string;
  /** Lower-case hex. */
  readonly certificateSerial: string;
}

type RuleOf<R extends Route> = (typeof policies)[R['policy']];
type CallerOf<R extends Route> = RuleOf<R>['proof'] extends 'token' ? Caller : undefined;
type AccessOf<R extends Route> =
  RuleOf<R> extends { object: 'device' }
    ? DeviceAccess
    : RuleOf<R> extends { object: 'device-past' }
      ? HistoryAccess
      : undefined;
type PeerOf<R extends Route> = R['policy'] extends 'device'
  ? DevicePeer
  : R['policy'] extends 'deviceKey'
    ? DevicePeer | undefined
    : undefined;

/** A request after its policy allowed it and the contract parsed it. */
export interface RequestContext<R extends Route = Route> {
  readonly params: ParamsOf<R>;
  readonly query: QueryOf<R>;
  readonly body: BodyOf<R>;
  readonly caller: CallerOf<R>;
  readonly access: AccessOf<R>;
  /** With policy `deviceKey` only when a valid certificate came along; grant `renew` needs it. */
  readonly device: PeerOf<R>;
  /** IP address of the peer. */
  readonly source: string;
  readonly requestId: string;
  /** `host:port` that the request was sent to; on the device listener always one of the cloud's own names. */
  readonly apiHost: string;
  /** What the client wants where the answer is `streamable`; elsewhere always JSON. */
  readonly format: 'json' | TextFormat;
  /** On routes with `etag`: what `If-Match` said; see `assertMatch`. */
  readonly ifMatch: IfMatch;
  /** Aborted when the client goes away or the server closes. */
  readonly signal: AbortSignal;
}

/** Version of the entity that is answered, for its ETag. */
type VersionOf<R extends Route> = R extends { etag: true } ? { readonly version: number } : unknown;

/**
 * What a handler answers. A `stream` yields whole frames of `text/event-stream` (see `eventFrame`); it is pulled
 * only as fast as the client reads, and returned (`iterator.return()`) when the client or the server ends it. The
 * same holds for `text`, pieces of the whole text in the format of the request.
 */
export type Answer<R extends Route> = {
  [S in keyof R['success']]: R['success'][S] extends Streamable
    ?
        | { readonly status: S; readonly body: z.output<JsonOf<R['success'][S]>> }
        | { readonly status: S; readonly text: AsyncIterable<string>; readonly fileName: string }
    : R['success'][S] extends z.ZodType
      ? { readonly status: S; readonly body: z.output<R['success'][S]> } & VersionOf<R>
      : R['success'][S] extends 'event-stream'
        ? { readonly status: S; readonly stream: AsyncIterable<string> }
        : { readonly status: S };
}[keyof R['success']];

/** One handler for each route of the contract; the app refuses to start when one is missing. */
export type Handlers = {
  readonly [K in RouteId]: (context: RequestContext<Contract[K]>) => Promise<Answer<Contract[K]>>;
};
