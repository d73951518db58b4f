/** What a line of the 40-pin header can do beside input and output. `pwm-0` is channel 0 of the pulse generator up to the Pi 4. */
export type LineUse =
  | 'i2c-sda'
  | 'i2c-scl'
  | 'uart-tx'
  | 'uart-rx'
  | 'spi0-mosi'
  | 'spi0-miso'
  | 'spi0-sclk'
  | 'spi0-ce0'
  | 'spi0-ce1'
  | 'spi1-mosi'
  | 'spi1-miso'
  | 'spi1-sclk'
  | 'spi1-ce0'
  | 'spi1-ce1'
  | 'spi1-ce2'
  | 'pwm-0'
  | 'pwm-1'
  | 'one-wire'
  | 'id-eeprom';

export interface HeaderLine {
  /** Number of the line in every setting and message of Ares. */
  readonly bcm: number;
  /** Pin of the header (J8), 1–40. */
  readonly position: number;
  readonly uses: readonly LineUse[];
  /** Level that the line has from power-on until something drives it. */
  readonly pull: 'up' | 'down';
  /** Why no component may sit on it. */
  readonly reserved?: string;
  /** Why nothing may be switched by it: it moves by itself while the board starts. */
  readonly unsafeOutput?: string;
}

const eeprom = 'it reads the ID EEPROM of a board on top while this one starts';
const serial = 'the boot messages of the serial console are sent on it while the board starts';
const line = (
  bcm: number,
  position: number,
  uses: readonly LineUse[] = [],
  more: Pick<HeaderLine, 'reserved' | 'unsafeOutput'> = {},
): HeaderLine => ({ bcm, position, uses, pull: bcm <= 8 ? 'up' : 'down', ...more });

/**
 * The 40-pin header, the same on every Raspberry Pi that has one (2, 3, 4, 5, 400, Zero, and the carrier boards of
 * the compute modules), by BCM number. 2 and 3 have fixed pull-ups of 1.8 kΩ on the board.
 *
 * Source: BCM2711 ARM Peripherals §5.3 (pulls after reset, functions), RP1 Peripherals §3.1, Raspberry Pi HAT
 * specification (0 and 1).
 */
export const headerLines: readonly HeaderLine[] = [
  line(0, 27, ['id-eeprom'], { reserved: eeprom }),
  line(1, 28, ['id-eeprom'], { reserved: eeprom }),
  line(2, 3, ['i2c-sda']),
  line(3, 5, ['i2c-scl']),
  line(4, 7, ['one-wire']),
  line(5, 29),
  line(6, 31),
  line(7, 26, ['spi0-ce1']),
  line(8, 24, ['spi0-ce0']),
  line(9, 21, ['spi0-miso']),
  line(10, 19, ['spi0-mosi']),
  line(11, 23, ['spi0-sclk']),
  line(12, 32, ['pwm-0']),
  line(13, 33, ['pwm-1']),
  line(14, 8, ['uart-tx'], { unsafeOutput: serial }),
  line(15, 10, ['uart-rx']),
  line(16, 36, ['spi1-ce2']),
  line(17, 11, ['spi1-ce1']),
  line(18, 12, ['spi1-ce0', 'pwm-0']),
  line(19, 35, ['spi1-miso', 'pwm-1']),
  line(20, 38, ['spi1-mosi']),
  line(21, 40, ['spi1-sclk']),
  line(22, 15),
  line(23, 16),
  line(24, 18),
  line(25, 22),
  line(26, 37),
  line(27, 13),
];

/** The line of a BCM number; undefined where the header has none. */
export function headerLine(bcm: number): HeaderLine | undefined {
  return headerLines[bcm];
}

/** `GPIO 17 (pin 11)`, as a person finds it on the board. */
export function describeLine(bcm: number): string {
  const known = headerLine(bcm);
  return known === undefined ? `GPIO ${bcm}` : `GPIO ${bcm} (pin ${known.position})`;
}
