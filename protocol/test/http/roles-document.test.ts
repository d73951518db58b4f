import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { contract } from '../../src/http/contract.ts';
import { policies, policyRule, roles } from '../../src/http/policies.ts';
import { rolesDocument } from '../../src/http/roles-document.ts';
import type { Route } from '../../src/http/route.ts';

describe('the table of roles', () => {
  it('stands in ROLES.md as it is in the code (write it: npm run -s ares -- roles > protocol/ROLES.md)', () => {
    expect(readFileSync(new URL('../../ROLES.md', import.meta.url), 'utf8')).toBe(rolesDocument());
  });

  it('names for each route a policy that is in it, and for each policy a role', () => {
    for (const { id, policy } of Object.values(contract) as Route[]) {
      expect(Object.keys(policies), id).toContain(policy);
    }
    for (const policy of Object.keys(policies) as (keyof typeof policies)[]) {
      expect(policyRule(policy).allows.length, policy).toBeGreaterThan(0);
      for (const role of policyRule(policy).allows) expect(roles).toHaveProperty(role);
    }
  });

  it('lets nobody without credentials do what asks for a token', () => {
    for (const policy of Object.keys(policies) as (keyof typeof policies)[]) {
      const { proof, allows } = policyRule(policy);
      if (proof === 'token') expect(allows, policy).not.toContain('nobody');
    }
  });
});
