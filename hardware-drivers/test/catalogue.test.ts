import { builtInComponentTypes, type ComponentTypeDefinition } from '@ares/protocol';
import { describe, expect, it } from 'vitest';
import { builtInTypes, catalogueEntry, createDriverRegistry } from '../src/index.ts';

describe('the catalogue that cloud and device share', () => {
  it('has an entry for each built-in driver and no other', () => {
    expect([...builtInTypes].sort()).toEqual(
      builtInComponentTypes.map(({ componentType }) => componentType).sort(),
    );
  });

  it.each(builtInComponentTypes)('says of $componentType what its driver says', async (entry) => {
    const driver = await createDriverRegistry().load(entry.componentType);
    const sorted = (definition: ComponentTypeDefinition) => ({
      ...definition,
      actions: definition.actions.toSorted((a, b) => a.action.localeCompare(b.action)),
    });
    expect(sorted(catalogueEntry(driver))).toEqual(sorted(entry));
  });
});
