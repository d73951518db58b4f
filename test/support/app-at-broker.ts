import { topics } from '@ares/protocol';
import type { Client } from '@ares/protocol/http';
import mqtt, { type MqttClient } from 'mqtt';
import { makeCsr } from './certificate-requests.ts';

/** An app that signed in and speaks MQTT with its own certificate. */
export interface AppAtBroker {
  readonly appUuid: string;
  readonly client: MqttClient;
  /** Documents that came, in order, with the topic. */
  readonly heard: { readonly topic: string; readonly state: { readonly deviceUuid: string } }[];
  ask(deviceUuid: string): Promise<void>;
  /** The same certificate again. */
  reconnect(): Promise<MqttClient>;
}

export async function connectApp(user: Client): Promise<AppAtBroker> {
  const csr = await makeCsr({ subject: 'CN=whatever the app likes' });
  const certificate = await user.appCertificate({ body: { csr: csr.der.toString('base64url') } });
  const connect = () =>
    mqtt.connectAsync({
      ...certificate.mqtt,
      protocol: 'mqtts',
      protocolVersion: 4,
      clientId: certificate.appUuid,
      ca: certificate.caCertificates,
      cert: certificate.certificateChain,
      key: csr.keyPem,
      reconnectPeriod: 0,
    });
  const client = await connect();
  client.on('error', () => undefined);
  const heard: AppAtBroker['heard'] = [];
  client.on('message', (topic, payload) => heard.push({ topic, state: JSON.parse(payload.toString()) }));
  await client.subscribeAsync(`${certificate.topics.state}+`);
  return {
    appUuid: certificate.appUuid,
    client,
    heard,
    async ask(deviceUuid) {
      const topic = `${certificate.topics.requestState}${deviceUuid}`;
      if (topics.requestState.parse(topic) === undefined) throw new Error(`${topic} is no topic of Ares`);
      await client.publishAsync(topic, '', { qos: 1 });
    },
    reconnect: connect,
  };
}
