import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { encodeRecord, RecordDecoder, type SimulatedRecord } from '@ares/protocol/ble';

/** A socket to which phones connect, one after another. */
export interface PhoneRelay {
  readonly socketPath: string;
  close(): void;
}

/**
 * Stands between phones, each of which has a connection of its own, and the serial port of a virtual machine, which
 * must have one for ever: QEMU never takes another byte from a guest that wrote while nobody was connected.
 *
 * The bridge in the guest ends each Bluetooth connection with one `disconnect`; only then the next phone is let in.
 */
export async function startPhoneRelay(portSocket: string, socketPath: string): Promise<PhoneRelay> {
  const port = connect(portSocket);
  await once(port, 'connect');
  port.on('error', () => port.destroy());
  const fromGuest = new RecordDecoder();
  const waiting: Socket[] = [];
  let served: Socket | undefined;
  let busy = false;

  const tell = (record: SimulatedRecord) => void port.write(encodeRecord(record));
  const serve = () => {
    const phone = busy ? undefined : waiting.shift();
    if (phone === undefined) return;
    busy = true;
    served = phone;
    const fromPhone = new RecordDecoder();
    phone.on('data', (bytes: Buffer) => {
      for (const record of fromPhone.push(bytes)) if (record.kind !== 'disconnect') tell(record);
    });
    const leave = () => {
      if (served !== phone) return;
      served = undefined;
      tell({ kind: 'disconnect', reason: '' });
    };
    phone.once('end', leave);
    phone.once('close', leave);
  };
  port.on('data', (bytes: Buffer) => {
    for (const record of fromGuest.push(bytes)) {
      if (record.kind !== 'disconnect') {
        served?.write(encodeRecord(record));
        continue;
      }
      const phone = served;
      served = undefined;
      busy = false;
      phone?.end(encodeRecord(record));
      serve();
    }
  });
  const server = createServer((phone) => {
    phone.on('error', () => phone.destroy());
    waiting.push(phone);
    serve();
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return {
    socketPath,
    close() {
      server.close();
      served?.destroy();
      port.destroy();
    },
  };
}
