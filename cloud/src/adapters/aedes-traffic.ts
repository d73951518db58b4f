import { MAX_SIGNED_MESSAGE_BYTES, topics } from '@ares/protocol';
import type { AedesOptions, Client } from 'aedes';
import type { Logger } from '../ports/logger.ts';
import type { SecurityEventCode, SecurityReporter } from '../ports/security-reporter.ts';
import type { Session, Sessions } from './aedes-sessions.ts';

/** Where refused messages of devices go: nobody can subscribe to it, since nobody's rights name it. */
const SINK = '$denied';
const LONGEST_TOPIC = 600;
const MOST_SUBSCRIPTIONS = 20;
/** Refusals within a minute after which the connection is ended. */
const DENIED_IS_ABUSE = 50;

type Handlers = Required<Pick<AedesOptions, 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'>>;

/** Who may publish, subscribe and receive what, by the rights of the session. */
export function createTraffic(options: {
  readonly sessions: Sessions;
  readonly willTopicOf: (client: Client) => string | undefined;
  readonly security: SecurityReporter;
  readonly log: Logger;
}): Handlers {
  const { sessions, willTopicOf, security, log } = options;

  const deny = (session: Session, code: SecurityEventCode, topic: string) => {
    const deviceUuid = session.peer.kind === 'device' ? session.peer.deviceUuid : undefined;
    security.report({
      code,
      ...(deviceUuid !== undefined && { deviceUuid }),
      detail: { topic: topic.slice(0, 200) },
    });
    if (session.countDenied() < DENIED_IS_ABUSE) return;
    log.warn({ client: session.client.id }, 'a session was ended: too many refused messages');
    setImmediate(() => session.client.close());
  };

  return {
    authorizePublish(client, packet, done) {
      const session = sessions.of(client);
      if (session === undefined) {
        const isWill = client !== null && packet.topic === willTopicOf(client);
        done(isWill ? null : new Error('no session'));
        return;
      }
      if (session.peer.kind === 'service') {
        packet.retain = false;
        if (!session.rights.mayPublish(packet.topic)) {
          log.warn(
            { client: session.client.id, topic: packet.topic },
            'a part of the cloud may not say this',
          );
          packet.topic = SINK;
          packet.payload = '';
        }
        done(null);
        return;
      }
      const refusal = refusalOf(session, packet);
      if (refusal !== undefined) {
        deny(session, refusal, packet.topic);
        // Not an error: the client library would send the message again after each reconnect, for ever.
        packet.topic = SINK;
        packet.payload = '';
        packet.retain = false;
      } else if (!session.born && packet.topic.endsWith(connectionTail)) {
        session.born = true;
      }
      const waitMs = session.pace();
      if (waitMs === 0) return done(null);
      if (waitMs > 1_000)
        security.report({
          code: 'PUBLISH_RATE',
          ...(session.peer.kind === 'device' && { deviceUuid: session.peer.deviceUuid }),
        });
      setTimeout(done, waitMs, null);
    },
    authorizeSubscribe(client, subscription, done) {
      const session = sessions.of(client);
      if (session === undefined) return done(new Error('no session'));
      session.subscriptions += 1;
      const allowed =
        session.rights.maySubscribe(subscription.topic) &&
        (session.peer.kind === 'service' || session.subscriptions <= MOST_SUBSCRIPTIONS);
      if (allowed) return done(null, subscription);
      deny(session, 'SUBSCRIBE_DENIED', subscription.topic);
      done(null, null);
    },
    authorizeForward(client, packet) {
      return sessions.of(client)?.rights.mayReceive(packet.topic) === true ? packet : null;
    },
  };
}

const connectionTail = topics.connectionStatus.filter().slice('telemetry/+'.length);

function refusalOf(
  session: Session,
  packet: { topic: string; payload: string | Buffer; retain: boolean },
): SecurityEventCode | undefined {
  if (packet.payload.length > MAX_SIGNED_MESSAGE_BYTES) return 'PACKET_TOO_LARGE';
  // A retained message would outlive the rights of its sender.
  if (packet.retain || packet.topic.length > LONGEST_TOPIC) return 'PUBLISH_DENIED';
  return session.rights.mayPublish(packet.topic) ? undefined : 'PUBLISH_DENIED';
}
