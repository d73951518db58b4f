/**
 * An actuator that tells each time it acts, before it answers. For fault runs only: what has reached the test's port
 * has happened, however often the agent is killed. By a datagram, because a driver by others may write no file.
 */
import { createSocket, type Socket } from 'node:dgram';
import { defineDriver, type OutputLine, z } from '@ares/hardware-drivers';

export default defineDriver({
  apiVersion: 1,
  type: 'recorder',
  kind: 'actuator',
  summary: 'Tells of each run',
  config: z.strictObject({ port: z.int() }),
  pins: { line: { function: 'output' } },
  metrics: { state: { unit: '1', min: 0, max: 1, stateKey: 'recorder' } },
  sampleIntervalMs: 60_000,
  actions: {
    mark: {
      summary: 'Tell the number and the time',
      args: z.strictObject({ n: z.int(), durationMs: z.int() }),
      longestRunMs: 60_000,
    },
  },
  create: ({ config, pins, hardware }) => {
    let line: OutputLine | undefined;
    let socket: Socket | undefined;
    return {
      start: async () => {
        socket = createSocket('udp4').unref();
        line = await hardware.gpio.openOutput(pins.line);
      },
      run: {
        mark: async ({ n }: { n: number }) => {
          await new Promise((resolve) =>
            socket?.send(`${n} ${Date.now()}`, config.port, '127.0.0.1', resolve),
          );
          await line?.write(true);
        },
      },
      off: () => line?.write(false),
      read: async () => [{ metric: 'state', value: (await line?.read()) === true ? 1 : 0 }],
      stop: async () => {
        socket?.close();
        socket = undefined;
        await line?.close();
      },
    };
  },
});
