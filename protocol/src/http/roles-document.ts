import { contract } from './contract.ts';
import { type Policy, policies, policyRule, type Role, roles } from './policies.ts';
import type { Route } from './route.ts';

/** Who may do what, as Markdown: the table of policies and roles, and the routes of each policy. */
export function rolesDocument(): string {
  const roleNames = Object.keys(roles) as Role[];
  const policyNames = Object.keys(policies) as Policy[];
  const routes = Object.values(contract) as Route[];
  const lines = [
    '# Who may do what',
    '',
    'Made from the contract by `npm run ares -- roles`. Each route names one policy; a policy lets through whoever stands in one of its roles.',
    '',
    '## Roles',
    '',
    ...table(
      ['Role', 'Who that is'],
      roleNames.map((role) => [`\`${role}\``, roles[role]]),
    ),
    '',
    '## Policies',
    '',
    ...table(
      ['Policy', ...roleNames, 'Foreign object'],
      policyNames.map((policy) => {
        const { allows, object } = policyRule(policy);
        const marks = roleNames.map((role) => (allows.includes(role) ? 'yes' : ''));
        return [`\`${policy}\``, ...marks, object === undefined ? '' : '404'];
      }),
    ),
    '',
    'Without a valid token a route that asks for one answers 401, in the wrong role 403, and 404 for a device or user that is foreign to the caller.',
    '',
    '## Routes',
    '',
    ...table(
      ['Route', 'Policy', 'What it does'],
      routes.map(({ method, path, policy, summary }) => [`\`${method} ${path}\``, `\`${policy}\``, summary]),
    ),
    '',
    '## What the policies mean',
    '',
    ...policyNames.map((policy) => `- \`${policy}\`: ${policyRule(policy).means}.`),
  ];
  return `${lines.join('\n')}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
