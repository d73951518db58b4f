import type { Vm } from './vm.ts';

/** A GPIO chip of the kernel's simulator in the guest, with the other side of each of its lines. */
export interface GpioSim {
  /** `/dev/gpiochip0` */
  readonly device: string;
  /** Folder of the other side of its lines: `sim_gpio17/value`, `sim_gpio17/pull`. */
  readonly folder: string;
  /**
   * What is outside of a line: an input reads it. gpio-sim gives a released output its pull as well, where a
   * Raspberry Pi keeps driving it; so a case about outputs sets the pull to the unsafe level first.
   */
  pull(line: number, to: 'pull-up' | 'pull-down'): Promise<void>;
  /** The level of a line as its surroundings see it. */
  value(line: number): Promise<0 | 1>;
  /**
   * Waits in the guest until a line has a level and gives the milliseconds it took by the guest's clock.
   *
   * @throws when it takes longer than `timeoutMs`
   */
  until(line: number, level: 0 | 1, timeoutMs: number): Promise<number>;
  remove(): Promise<void>;
}

// Starts no programs while it waits: they would take the processor from what it waits for.
const UNTIL = `
  my ($file, $level, $seconds, $name) = @ARGV;
  sub now { open my $uptime, "<", "/proc/uptime"; (split " ", <$uptime>)[0] }
  my $begin = now();
  while () {
    open my $value, "<", $file or die "$file: $!\\n";
    last if <$value> == $level;
    die "$name did not become $level\\n" if now() - $begin > $seconds;
    select undef, undef, undef, 0.01;
  }
  print int((now() - $begin) * 1000);`;

/** Makes a chip with as many lines, and lines of the same names, as the one of a Raspberry Pi 4. */
export async function makeGpioChip(
  vm: Vm,
  options: { readonly label?: string; readonly lines?: number; readonly name?: string } = {},
): Promise<GpioSim> {
  const { label = 'pinctrl-bcm2711', lines = 54, name = 'pi' } = options;
  const chip = `/sys/kernel/config/gpio-sim/${name}`;
  const made = await vm.sh(`
    modprobe gpio-sim
    mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
    mkdir -p ${chip}/bank0
    echo ${lines} >${chip}/bank0/num_lines
    echo ${label} >${chip}/bank0/label
    cd ${chip}/bank0
    # One program for all: an emulated machine starts them slowly.
    mkdir $(seq -f line%g 0 ${lines - 1})
    for line in line*; do echo GPIO\${line#line} >$line/name; done
    echo 1 >${chip}/live
    cat ${chip}/dev_name ${chip}/bank0/chip_name
    udevadm settle`);
  const [platform, gpiochip] = made.trim().split('\n') as [string, string];
  const folder = `/sys/devices/platform/${platform}/${gpiochip}`;
  const line = (number: number) => `${folder}/sim_gpio${number}`;
  return {
    device: `/dev/${gpiochip}`,
    folder,
    pull: async (number, to) => {
      await vm.sh(`echo ${to} >${line(number)}/pull`);
    },
    value: async (number) => ((await vm.sh(`cat ${line(number)}/value`)).trim() === '1' ? 1 : 0),
    until: async (number, level, timeoutMs) => {
      const waited = await vm.sh(
        `perl -e '${UNTIL}' ${line(number)}/value ${level} ${timeoutMs / 1_000} "line ${number}"`,
        { timeoutMs: timeoutMs + 60_000 },
      );
      return Number(waited);
    },
    remove: async () => {
      await vm.sh(`echo 0 >${chip}/live; rmdir ${chip}/bank0/line*; rmdir ${chip}/bank0 ${chip}`);
    },
  };
}
