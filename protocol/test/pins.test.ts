import { describe, expect, it } from 'vitest';
import { builtInComponentTypes } from '../src/components.ts';
import { headerLine, headerLines } from '../src/header.ts';
import { anyHeaderPin, checkPins, headerPins, reservedPins } from '../src/pins.ts';

const rules = anyHeaderPin(builtInComponentTypes);
const check = (
  ...components: { componentId: number; componentType: string; pins: Record<string, number> }[]
) =>
  checkPins({ components, types: builtInComponentTypes, rules }).map(({ code, componentId }) => [
    componentId,
    code,
  ]);
const pump = (componentId: number, line: number) => ({ componentId, componentType: 'pump', pins: { line } });

describe('components of one board', () => {
  it('are accepted on lines of their own', () => {
    expect(check(pump(1, 17), pump(2, 27), { componentId: 3, componentType: 'cpu', pins: {} })).toEqual([]);
  });

  it('are refused where two sit on one line, naming the later one', () => {
    expect(check(pump(1, 17), { componentId: 2, componentType: 'dht22', pins: { data: 17 } })).toEqual([
      [2, 'PIN_CONFLICT'],
    ]);
  });

  it('are refused on a reserved line, whatever the rules say', () => {
    const problems = checkPins({
      components: [pump(1, 0)],
      types: builtInComponentTypes,
      rules: [{ componentType: 'pump', role: 'line', pins: [0] }],
    });
    expect(problems).toMatchObject([{ code: 'PIN_RESERVED', detail: expect.stringContaining('reserved') }]);
  });

  it('are refused where the board moves the line by itself while it starts, if they switch something', () => {
    expect(check(pump(1, 14))).toEqual([[1, 'PIN_RESERVED']]);
    expect(check({ componentId: 1, componentType: 'dht22', pins: { data: 14 } })).toEqual([]);
    const [problem] = checkPins({ components: [pump(1, 14)], types: builtInComponentTypes, rules });
    expect(problem?.detail).toMatch(/GPIO 14 \(pin 8\).*serial console.*choose one of 2, .*13, 15,/);
  });

  it('are refused on a line without a rule, and the rest still checked', () => {
    expect(check(pump(1, 40), pump(2, 17), pump(3, 17))).toEqual([
      [1, 'PIN_NOT_ALLOWED'],
      [3, 'PIN_CONFLICT'],
    ]);
  });

  it('are refused without a pin, with a line that the type does not have, and of an unknown type', () => {
    expect(check({ componentId: 1, componentType: 'pump', pins: {} })).toEqual([[1, 'PIN_MISSING']]);
    expect(check({ componentId: 1, componentType: 'cpu', pins: { line: 4 } })).toEqual([
      [1, 'PIN_NOT_ALLOWED'],
    ]);
    expect(check({ componentId: 1, componentType: 'laser', pins: {} })).toEqual([[1, 'TYPE_UNKNOWN']]);
  });

  it('are refused everywhere when there are no rules', () => {
    expect(checkPins({ components: [pump(1, 17)], types: builtInComponentTypes, rules: [] })).toMatchObject([
      { code: 'PIN_NOT_ALLOWED', detail: expect.stringContaining('(none)') },
    ]);
  });
});

describe('the table of the header', () => {
  it('has each line at its own number and each position once', () => {
    expect(headerLines.map(({ bcm }) => bcm)).toEqual(headerLines.map((_, index) => index));
    const positions = headerLines.map(({ position }) => position);
    expect(new Set(positions).size).toBe(28);
    const powerAndGround = [1, 2, 4, 6, 9, 14, 17, 20, 25, 30, 34, 39];
    expect([...positions, ...powerAndGround].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
  });

  it('knows the pull of each line after power-on, and that only whole numbers are lines', () => {
    expect(headerLine(8)?.pull).toBe('up');
    expect(headerLine(9)?.pull).toBe('down');
    for (const bcm of [-1, 28, 1.5, Number.NaN]) expect(headerLine(bcm)).toBeUndefined();
  });

  it('divides the lines into those for the board and those for components', () => {
    expect(reservedPins).toEqual([0, 1]);
    expect([...reservedPins, ...headerPins]).toEqual(headerLines.map(({ bcm }) => bcm));
  });
});
