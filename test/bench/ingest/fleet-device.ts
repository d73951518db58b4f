import { randomBytes, randomUUID } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { openSignedMessage, parseAcknowledgement, signMessage, topics } from '@ares/protocol';
import { createMac } from '../../../cloud/src/telemetry/device-keys.ts';
import type { FleetDevice, FleetOrder, FleetPlan } from './fleet-plan.ts';
import { connectFrame, createPacketReader, publishFrame, subscribeFrame } from './mqtt-frames.ts';

/** Longest that the broker allows; a run is shorter, so nobody has to ping. */
const KEEP_ALIVE_SECONDS = 600;

export interface SimulatedDevice {
  /** Signs all messages of a run. Answers the size of one payload. */
  prepare(order: FleetOrder): number;
  /** Sends one of what was prepared. */
  sendOne(): void;
  close(): void;
}

export interface DeviceEvents {
  /** One message was answered. */
  onAnswered(stored: number, rejected: number, latencyMs: number): void;
  onFailure(reason: string): void;
}

/** Connects, subscribes to its acknowledgements and says who it is. @throws when the broker does not want it */
export async function connectDevice(
  plan: FleetPlan,
  device: FleetDevice,
  events: DeviceEvents,
): Promise<SimulatedDevice> {
  const { deviceUuid } = device;
  const mac = createMac(Buffer.from(device.secret, 'base64'));
  const ackTopic = topics.telemetryAck.build({ deviceUuid });
  const topic = topics.componentStatus.build({
    userEmail: plan.userEmail,
    deviceUuid,
    componentType: plan.componentType,
  });
  const header = () => ({
    v: 1,
    kid: plan.kid,
    assignment: 1,
    bootId,
    bootCount: 1,
    sentAt: Date.now(),
    uptimeMs: Math.round(performance.now()),
    cpuSerial: device.cpuSerial,
    hardwareVersion: plan.hardware.version,
    hardwareVariant: plan.hardware.variant,
  });
  const bootId = randomBytes(16).toString('hex');
  let frames: Buffer[] = [];
  let next = 0;
  let seq = 0;
  let order: FleetOrder | undefined;
  const sentAt = new Map<number, number>();

  const socket = await openSocket(plan, device);
  const sendOne = () => {
    const bytes = frames[next];
    if (bytes === undefined || order === undefined) return;
    sentAt.set(seq - (frames.length - next) * order.readingsPerMessage + 1, performance.now());
    next += 1;
    socket.write(bytes);
  };
  const answered = (payload: Buffer) => {
    const opened = openSignedMessage(ackTopic, payload, [mac]);
    const ack = opened.ok ? parseAcknowledgement(opened.value) : undefined;
    if (ack?.ok !== true) return events.onFailure('an acknowledgement is not authentic');
    const { stored, rejected } = ack.value;
    const first = stored[0]?.[0] ?? rejected[0]?.seq;
    // The answer to a birth names nothing.
    if (first === undefined) return;
    const began = sentAt.get(first);
    if (began === undefined) return events.onFailure(`nobody waits for an answer about ${first}`);
    sentAt.delete(first);
    const count = stored.reduce((sum, [from, to]) => sum + to - from + 1, 0);
    events.onAnswered(count, rejected.length, performance.now() - began);
  };

  await enter(socket, deviceUuid, ackTopic, answered);
  socket.on('error', (error) => events.onFailure(error.message));
  const birthTopic = topics.connectionStatus.build({ deviceUuid });
  const birth = {
    ...header(),
    event: 'online',
    connectionId: randomUUID(),
    certificateSerial: device.certificateSerial,
    agentVersion: '0.0.0-bench',
  };
  socket.write(publishFrame(birthTopic, signMessage(birthTopic, birth, mac)));

  return {
    prepare(wanted) {
      order = wanted;
      next = 0;
      sentAt.clear();
      const { messagesPerDevice, readingsPerMessage } = wanted;
      const begin = Date.now() - messagesPerDevice * readingsPerMessage;
      let bytes = 0;
      frames = Array.from({ length: messagesPerDevice }, (_, message) => {
        const readings = Array.from({ length: readingsPerMessage }, (_, i) => ({
          seq: ++seq,
          componentId: device.componentId,
          metric: plan.metric,
          value: Math.round(Math.random() * 10_000) / 100,
          measuredAt: begin + message * readingsPerMessage + i,
        }));
        const payload = signMessage(topic, { ...header(), readings }, mac);
        bytes = payload.length;
        return publishFrame(topic, payload);
      });
      return bytes;
    },
    sendOne,
    close: () => socket.destroy(),
  };
}

async function openSocket(plan: FleetPlan, device: FleetDevice): Promise<TLSSocket> {
  return await new Promise((done, fail) => {
    const socket = connect(
      {
        host: '127.0.0.1',
        port: plan.mqttPort,
        ca: plan.rootPem,
        key: device.keyPem,
        cert: device.chainPem,
      },
      () => done(socket),
    );
    socket.setNoDelay(true);
    socket.once('error', fail);
  });
}

async function enter(
  socket: TLSSocket,
  deviceUuid: string,
  ackTopic: string,
  answered: (payload: Buffer) => void,
): Promise<void> {
  const read = createPacketReader();
  await new Promise<void>((done, fail) => {
    socket.on('close', () => fail(new Error(`the broker ended the connection of ${deviceUuid}`)));
    socket.on('data', (chunk: Buffer) => {
      for (const packet of read(chunk)) {
        if (packet.type === 'publish') answered(packet.payload);
        else if (packet.code > 2) fail(new Error(`the broker said ${packet.type} ${packet.code}`));
        else if (packet.type === 'suback') done();
        else if (packet.code === 0) socket.write(subscribeFrame(ackTopic));
        else fail(new Error(`the broker said connack ${packet.code}`));
      }
    });
    socket.write(connectFrame(deviceUuid, KEEP_ALIVE_SECONDS));
  });
}
