import { cpu, mem, osInfo, system } from 'systeminformation';

/** What this computer is; takes about a second and several child processes, so it is asked for only on demand. */
export async function readInventory(): Promise<Record<string, unknown>> {
  const [board, processor, os, memory] = await Promise.all([system(), cpu(), osInfo(), mem()]);
  return {
    board: `${board.manufacturer} ${board.model}`.trim(),
    processor: `${processor.manufacturer} ${processor.brand}`.trim(),
    cores: processor.cores,
    memoryBytes: memory.total,
    distribution: `${os.distro} ${os.release}`.trim(),
    kernel: os.kernel,
    architecture: os.arch,
  };
}
