import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createProcCpuSampler } from '../cpu/proc-cpu-sampler.ts';
import { DriverError } from '../errors.ts';
import { createSimulatedGpio } from '../gpio/simulated-gpio.ts';
import type { Hardware } from '../hardware.ts';
import { createSimulatedPwm } from '../pwm/simulated-pwm.ts';

/**
 * The hardware of a board process: lines, DHT22 frames and converter channels are files in its folder; load,
 * temperature and memory are this machine's own.
 *
 * @param boardDir folder of a running board process; what is missing there is reported by each use
 */
export function simulatedHardware(boardDir: string): Hardware {
  return {
    name: 'simulated board',
    gpio: createSimulatedGpio(boardDir),
    pwm: createSimulatedPwm(boardDir),
    dht22Bus: {
      query: async (bcm) => {
        const text = await readOr(
          join(boardDir, 'dht22', String(bcm), 'frame'),
          `no DHT22 answers on BCM ${bcm}`,
        );
        return { kind: 'frame', bytes: Uint8Array.from(Buffer.from(text, 'hex')) };
      },
    },
    adc: {
      readRatio: async (channel) => {
        const text = await readOr(
          join(boardDir, 'adc', String(channel)),
          `nothing is wired to channel ${channel}`,
        );
        return Number.parseFloat(text);
      },
    },
    cpu: createProcCpuSampler(),
  };
}

async function readOr(path: string, otherwise: string): Promise<string> {
  const text = await readFile(path, 'latin1').catch((cause: unknown) => {
    throw new DriverError('NO_ANSWER', otherwise, { cause });
  });
  return text.trim();
}
