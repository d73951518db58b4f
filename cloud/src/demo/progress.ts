/** Tells a person what happens, step by step with durations. Without a terminal the same lines, plain. */
export interface Progress {
  /** Runs a step; `say` tells what it is doing meanwhile. The work returns the words for its end. */
  step<T>(name: string, work: (say: (doing: string) => void) => Promise<readonly [T, string]>): Promise<T>;
  line(text: string): void;
}

const SPINNER_MS = 100;
const FRAMES = ['|', '/', '-', '\\'];

export function createProgress(output: NodeJS.WriteStream, now: () => number): Progress {
  const live = output.isTTY === true;
  const width = 13;
  return {
    line: (text) => output.write(`${text}\n`),
    async step(name, work) {
      const started = now();
      let doing = '';
      let frame = 0;
      const draw = () =>
        output.write(`\r\x1b[K${FRAMES[frame++ % FRAMES.length]} ${name.padEnd(width)} ${doing}`);
      const timer = live ? setInterval(draw, SPINNER_MS) : undefined;
      try {
        const [result, words] = await work((text) => {
          doing = text;
          if (!live) output.write(`… ${name.padEnd(width)} ${text}\n`);
        });
        if (live) output.write('\r\x1b[K');
        output.write(`✓ ${name.padEnd(width)} ${words}  (${duration(now() - started)})\n`);
        return result;
      } catch (error) {
        if (live) output.write('\r\x1b[K');
        throw error;
      } finally {
        clearInterval(timer);
      }
    },
  };
}

function duration(milliseconds: number): string {
  return milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}
