import {
  type CommandClaims,
  type ComponentHealth,
  deviceRights,
  type Mac,
  safeActions,
} from '@ares/protocol';
import { TimeSeeker } from '../clock/time-seeker.ts';
import { createTrustedClock } from '../clock/trusted-clock.ts';
import { CommandRunner } from '../commands/command-runner.ts';
import { ResultReporter } from '../commands/result-reporter.ts';
import { createOrderVerifier } from '../commands/verify-order.ts';
import { WifiRunner } from '../commands/wifi-runner.ts';
import { ComponentSet } from '../components/component-set.ts';
import type { Credentials } from '../identity/types.ts';
import { type LinkError, type LinkMessage, refusals } from '../ports/broker-link.ts';
import { createMac } from '../telemetry/hmac.ts';
import { MessageMaker } from '../telemetry/message-maker.ts';
import { Publisher } from '../telemetry/publisher.ts';
import { ComponentList } from './component-list.ts';
import { Connection } from './connection.ts';
import { Emitter } from './emitter.ts';
import { Inbox } from './inbox.ts';
import { proveConnection } from './prove-connection.ts';
import type { OperatingSession, SessionEvents, SessionOptions } from './types.ts';

/**
 * A claimed device at work: samples, signs, publishes, obeys. Takes a boot count of its own, closes what the last
 * run left unfinished, and begins with the components of last time.
 */
export function createOperatingSession(options: SessionOptions): OperatingSession {
  const { identity, trust, link, guard, store, clock, random, config, logger } = options;
  const { assignment } = options.credentials;
  const { journal } = store;
  const time = createTrustedClock(clock, { onAgreed: (epochMs) => options.rememberTime?.(epochMs) });
  const startedAt = clock.monotonicMs();
  const events = new Emitter<SessionEvents>((cause) => logger.error('listener failed', { cause }));

  const boot = {
    bootId: Buffer.from(random.bytes(16)).toString('hex'),
    bootCount: store.counters.startBoot({ floor: options.credentials.bootFloor }),
  };
  const outbox = store.openOutbox(assignment);
  outbox.beginBoot(boot);
  const unfinished = journal.closeUnfinished((commandId) => ({
    commandId,
    outcome: 'UNKNOWN',
    code: 'POWER_LOST',
    detail: 'The device restarted while the command ran; it is not run again.',
  }));
  if (unfinished > 0) logger.warn('commands were cut off by a restart', { count: unfinished });
  if (journal.damaged !== undefined) logger.error('actuators stay off', { reason: journal.damaged });

  let credentials: Credentials = options.credentials;
  /** The present secret, and the one before it for what is still on its way. */
  let macs: readonly [Mac, ...Mac[]] = [createMac(credentials.sharedSecret)];
  let connectionId = random.uuid();
  let firstAcknowledged = false;
  let stopped: Promise<void> | undefined;

  const maker = new MessageMaker({
    identity,
    boot,
    clock: time,
    credentials,
    mac: macs[0],
    counters: () => ({ droppedReadings: outbox.dropped, ignoredOrders: inbox.ignored }),
  });
  const send = (message: LinkMessage) => connection.publish(message);
  const sendOrDrop = (message: LinkMessage) => {
    send(message).catch((cause: unknown) => logger.debug('message not sent', { cause }));
  };

  const components = new ComponentSet({
    drivers: options.drivers,
    hardware: options.hardware,
    guard,
    clock,
    logger,
    config,
    pulse: options.pulse,
    events: {
      onMeasured: ({ componentId, componentType }, values, urgent) => {
        const readings = values.map((value) => ({ componentId, componentType, ...value }));
        try {
          publisher.add(readings, { urgent });
        } catch (cause) {
          logger.error('readings cannot be stored', { cause });
        }
      },
      onHealth: ({ componentType }, health) => {
        if (connection.connected) sendOrDrop(maker.health(componentType, [health]));
        reportErrors(health);
      },
    },
  });
  const reportErrors = (changed: ComponentHealth) => {
    const failing = components.health.filter(({ status }) => status === 'ERROR');
    if (changed.status === 'ERROR' || failing.length === 0)
      events.emit('components-error', { components: failing });
  };
  const list = new ComponentList({
    source: options.componentSource,
    outbox,
    clock,
    logger,
    onList: (next) =>
      components
        .apply(next)
        .catch((cause: unknown) => logger.error('components cannot be applied', { cause })),
  });

  const publisher = new Publisher({
    outbox,
    clock,
    time,
    random,
    logger,
    config,
    maker,
    bootId: boot.bootId,
    send,
    events: {
      onStored: () => {
        if (firstAcknowledged) return;
        firstAcknowledged = true;
        events.emit('first-reading-acknowledged', { afterMs: Math.round(clock.monotonicMs() - startedAt) });
      },
      onUnanswered: (rounds) => {
        if (rounds < config.unansweredLimit) return;
        events.emit('refused', {
          why: 'UNANSWERED',
          detail: `The cloud has not acknowledged anything for ${rounds} rounds, although the broker takes it.`,
        });
      },
      onResults: (commandIds) => reporter.acknowledged(commandIds),
    },
  });
  const reporter = new ResultReporter({
    journal,
    assignment,
    clock,
    random,
    config,
    send: (results) => {
      sendOrDrop(maker.results(results));
    },
  });
  const commands = new CommandRunner({
    journal,
    components,
    time,
    logger,
    report: (result) => reporter.report(result),
  });
  const wifi = new WifiRunner({
    journal,
    time,
    logger,
    deviceUuid: identity.deviceUuid,
    secret: () => credentials,
    changeNetwork: options.changeNetwork,
    proveConnection: (signal) => proveConnection(connection, clock, signal),
    connectAgain: () => connection.reconnect(),
    report: (result) => reporter.report(result),
  });
  /** A component that was attached a moment ago is waited for; the command's own end bounds the wait. */
  const obey = async (claims: CommandClaims) => {
    const { componentId, action } = claims;
    if (components.get(componentId) === undefined) await list.settled();
    if (!safeActions.includes(action)) await components.get(componentId)?.settled;
    await commands.run(claims);
  };
  const inbox = new Inbox({
    verify: createOrderVerifier(trust.commandKeys),
    deviceUuid: identity.deviceUuid,
    assignment,
    logger,
    events: {
      onAcknowledgement: (message) => publisher.acknowledged(message, macs),
      onCommand: (claims) => {
        obey(claims).catch((cause: unknown) => logger.error('command failed', { cause }));
      },
      onComponentsChanged: () => list.refresh(),
      onWifiChange: (claims) => {
        wifi.run(claims).catch((cause: unknown) => logger.error('Wi-Fi was not changed', { cause }));
      },
      onReset: (claims, token) => events.emit('reset-order', { claims, token }),
    },
  });

  const connection = new Connection({
    link,
    clock,
    random,
    logger,
    config,
    pulse: options.pulse,
    target: () => {
      connectionId = random.uuid();
      return {
        host: credentials.mqtt.host,
        port: credentials.mqtt.port,
        clientId: identity.deviceUuid,
        caCertificates: trust.caCertificates,
        certificateChain: credentials.certificateChain,
        privateKeyPem: credentials.privateKeyPem,
        notBefore: credentials.notBefore,
        will: maker.will(connectionId),
        subscribe: deviceRights(identity.deviceUuid).subscribe,
      };
    },
    events: {
      onUp: () => {
        const { agentVersion } = config;
        sendOrDrop(maker.birth({ connectionId, agentVersion, health: components.health }));
        publisher.connected();
        reporter.connected();
        // What changed while nobody could tell this device.
        list.refresh();
      },
      onDown: () => {
        publisher.disconnected();
        reporter.disconnected();
      },
      onMessage: (message) => inbox.receive(message),
      onState: (state, error) => {
        events.emit('connection', error === undefined ? { state } : { state, detail: error.message });
        if (state === 'waiting' && error !== undefined && refusals.includes(error.code))
          events.emit('refused', { why: error.code, detail: error.message });
      },
    },
  });

  const seeker =
    options.signedTime &&
    new TimeSeeker({
      clock,
      time,
      logger,
      ask: options.signedTime.ask,
      onTime: options.signedTime.onTime,
      // A clock that is set and not yet compared will be, as soon as there is a connection.
      worthIt: () => !clock.synchronised() || connection.connected,
    });
  const forgetGuard = guard.onLost(() => {
    for (const { actuator } of components.all) void actuator?.makeSafe();
  });

  const stop = async (reason: string) => {
    logger.info('operating session stops', { reason });
    seeker?.stop();
    list.stop();
    // First what is there already: a driver that does not stop may take all the time that is left.
    publisher.flush();
    await components.stop();
    await wifi.stop();
    publisher.flush();
    forgetGuard();
    await connection.stop();
    publisher.stop();
  };

  const connectionStatus = () => ({
    state: connection.state,
    since: connection.since,
    ...(connection.error !== undefined && describeError(connection.error)),
  });

  return {
    start: () => {
      logger.info('operating', { ...boot, assignment });
      list.start();
      connection.start();
      seeker?.start();
    },
    replaceCredentials: (next) => {
      if (next.assignment !== assignment)
        throw new TypeError(`Credentials of assignment ${next.assignment} need a session of their own.`);
      store.counters.raiseFloor(next.bootFloor);
      if (next.kid !== credentials.kid) macs = [createMac(next.sharedSecret), macs[0]];
      credentials = next;
      maker.use(next, macs[0]);
      connection.reconnect();
    },
    stop: (reason) => {
      stopped ??= stop(reason);
      return stopped;
    },
    connection: connectionStatus,
    status: () => ({
      connection: connectionStatus(),
      ...boot,
      clockTrusted: time.trusted(),
      clockSource: time.source(),
      guardAvailable: guard.available(),
      firstReadingAcknowledged: firstAcknowledged,
      outbox: outbox.stats(),
      pendingResults: journal.unacknowledged(assignment, 1_000).length,
      ...(publisher.putOff !== undefined && { putOff: publisher.putOff }),
      components: components.all.map(({ component: { componentId, componentType }, health }) => ({
        ...(health ?? { componentId, status: 'ERROR' as const, reason: 'The driver is being loaded.' }),
        componentType,
      })),
    }),
    settled: () => components.settled(),
    on: (event, listener) => events.on(event, listener),
  };
}

function describeError({ message, code, cause }: LinkError) {
  const reason: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return { detail: message, code, ...(typeof reason === 'string' && { reason }) };
}
