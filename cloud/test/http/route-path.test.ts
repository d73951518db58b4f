import { contract, type Route } from '@ares/protocol/http';
import Router from '@koa/router';
import { describe, expect, it } from 'vitest';
import { toRouterPath } from '../../src/http/route-path.ts';

describe('a path of the contract', () => {
  it.each(Object.values<Route>(contract).map((route) => [route.id, route] as const))(
    '%s is matched by the router with its parameters, and not without them',
    (_, route) => {
      const router = new Router({ sensitive: true, strict: true });
      router.register(toRouterPath(route.path), [route.method], () => undefined);
      const [layer] = router.stack;
      const names = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);
      const filled = route.path.replace(/\{(\w+)\}/g, (_match, name: string) => `the-${name}`);
      expect(layer!.match(filled)).toBe(true);
      expect(layer!.params(filled, layer!.captures(filled))).toEqual(
        Object.fromEntries(names.map((name) => [name, `the-${name}`])),
      );
      expect(layer!.match(route.path.replace(/\{\w+\}/g, ''))).toBe(names.length === 0);
    },
  );
});

describe('refusing paths that the router would read in its own way', () => {
  it.each(['/a/{id', '/a/{id}.json', '/a/*rest', '/a/(b)', '/a/:id{/x}', 'a', '/a//b', '/a/{}'])(
    '%s',
    (path) => {
      expect(() => toRouterPath(path)).toThrow(TypeError);
    },
  );
});
