import * as z from 'zod/mini';
import type { AttachedComponent, ComponentTypeDefinition } from './components.ts';
import { describeLine, headerLine, headerLines } from './header.ts';
import { componentTypeSchema, metricSchema } from './ids.ts';

/** What a hardware version and variant allows: this role of this type may sit on these lines (BCM numbers). */
export const pinRuleSchema = z.strictObject({
  componentType: componentTypeSchema,
  role: metricSchema,
  pins: z.array(z.int().check(z.nonnegative(), z.maximum(53))).check(z.maxLength(54)),
});
export type PinRule = z.infer<typeof pinRuleSchema>;

export type PinProblemCode =
  | 'PIN_CONFLICT'
  | 'PIN_NOT_ALLOWED'
  | 'PIN_RESERVED'
  | 'PIN_MISSING'
  | 'TYPE_UNKNOWN';

export interface PinProblem {
  readonly code: PinProblemCode;
  readonly componentId: number;
  /** What was wrong and what to do. */
  readonly detail: string;
}

/** Lines that are never free for a component, see {@link headerLines}. */
export const reservedPins: readonly number[] = headerLines
  .filter(({ reserved }) => reserved !== undefined)
  .map(({ bcm }) => bcm);

/** Lines of the 40-pin header that a component may use at all. */
export const headerPins: readonly number[] = headerLines
  .filter(({ reserved }) => reserved === undefined)
  .map(({ bcm }) => bcm);

/** Rules of a board on which each built-in type may sit on any free line of the header. */
export function anyHeaderPin(types: readonly ComponentTypeDefinition[]): PinRule[] {
  return types.flatMap(({ componentType, pinRoles }) =>
    pinRoles.map((role) => ({ componentType, role, pins: [...headerPins] })),
  );
}

/**
 * Whether these components may sit on one board together. The cloud asks before it attaches one and the device
 * asks again before it loads a driver. Fails closed: a type without a rule for its role is refused.
 */
export function checkPins(input: {
  readonly components: readonly Pick<AttachedComponent, 'componentId' | 'componentType' | 'pins'>[];
  readonly types: readonly Pick<ComponentTypeDefinition, 'componentType' | 'kind' | 'pinRoles'>[];
  readonly rules: readonly PinRule[];
}): PinProblem[] {
  const found: PinProblem[] = [];
  const owners = new Map<number, { componentId: number; componentType: string }>();
  for (const component of input.components) {
    const { componentId, componentType } = component;
    const report = (code: PinProblemCode, detail: string) => found.push({ code, componentId, detail });
    const type = input.types.find((candidate) => candidate.componentType === componentType);
    if (type === undefined) {
      report('TYPE_UNKNOWN', `No component type ${componentType} is known.`);
      continue;
    }
    const extra = Object.keys(component.pins).find((role) => !type.pinRoles.includes(role));
    if (extra !== undefined) report('PIN_NOT_ALLOWED', `${componentType} has no line called ${extra}.`);
    for (const role of type.pinRoles) {
      const pin = component.pins[role];
      if (pin === undefined) {
        report('PIN_MISSING', `${componentType} needs a pin for its line ${role}.`);
        continue;
      }
      const owner = owners.get(pin);
      const reserved = reservedFor(type.kind, pin);
      if (reserved !== undefined) {
        report(
          'PIN_RESERVED',
          `${describeLine(pin)} is reserved for the board: ${reserved}; choose one of ${allowed(input.rules, type, role)}.`,
        );
      } else if (
        !input.rules.some(
          (rule) => rule.componentType === componentType && rule.role === role && rule.pins.includes(pin),
        )
      ) {
        report(
          'PIN_NOT_ALLOWED',
          `${describeLine(pin)} is not allowed for ${componentType} here; choose one of ${allowed(input.rules, type, role)}.`,
        );
      } else if (owner !== undefined) {
        report(
          'PIN_CONFLICT',
          `${describeLine(pin)} is taken by ${owner.componentType} (component ${owner.componentId}); choose another.`,
        );
      } else owners.set(pin, { componentId, componentType });
    }
  }
  return found;
}

/** Why a component of this kind may not sit on the line, whatever the rules say. */
function reservedFor(kind: ComponentTypeDefinition['kind'], pin: number): string | undefined {
  const line = headerLine(pin);
  return line?.reserved ?? (kind === 'actuator' ? line?.unsafeOutput : undefined);
}

function allowed(
  rules: readonly PinRule[],
  { componentType, kind }: Pick<ComponentTypeDefinition, 'componentType' | 'kind'>,
  role: string,
): string {
  const pins = rules
    .filter((rule) => rule.componentType === componentType && rule.role === role)
    .flatMap((rule) => rule.pins)
    .filter((pin) => reservedFor(kind, pin) === undefined);
  return pins.length === 0 ? '(none)' : [...new Set(pins)].sort((a, b) => a - b).join(', ');
}
