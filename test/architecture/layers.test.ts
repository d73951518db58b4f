import { describe, expect, it } from 'vitest';
import { filesBelow, importsOf } from '../support/repository.ts';

/** One library, one room: who may import it at run time. */
const rooms: Record<string, RegExp> = {
  mqtt: /^(agent|cloud)\/src\/adapters\//,
  aedes: /^cloud\/src\/adapters\//,
  pg: /^cloud\/src\/adapters\//,
  'pg-boss': /^cloud\/src\/adapters\//,
  'prom-client': /^cloud\/src\/adapters\//,
  pino: /^cloud\/src\/adapters\//,
  ioredis: /^cloud\/src\/adapters\//,
  nodemailer: /^cloud\/src\/adapters\//,
  'swagger-ui-dist': /^cloud\/src\/docs\//,
  koa: /^cloud\/src\/http\//,
  '@koa/router': /^cloud\/src\/http\//,
  '@koa/bodyparser': /^cloud\/src\/http\//,
  'koa-helmet': /^cloud\/src\/http\//,
  'rate-limiter-flexible': /^cloud\/src\/adapters\//,
  undici: /^(agent|cloud)\/src\/adapters\/|^cloud\/src\/(cli|demo)\//,
  systeminformation: /^agent\/src\/adapters\//,
  '@stoprocent/noble': /^cloud\/src\/adapters\//,
  '@stoprocent/bleno': /^agent\/src\/adapters\//,
  '@abandonware/bleno': /^agent\/src\/adapters\//,
  onoff: /^hardware-drivers\/src\/gpio\//,
  'node-dht-sensor': /^hardware-drivers\/src\/dht22\//,
  'node:sqlite': /^agent\/src\/store\//,
  uqr: /^agent\/src\/cli\//,
  commander: /^(agent|cloud)\/src\/cli\//,
};
const isSource = (path: string) => path.endsWith('.ts');
const sources = ['agent', 'cloud', 'hardware-drivers'].flatMap((name) => filesBelow(`${name}/src`, isSource));
const libraryOf = (specifier: string) =>
  specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : specifier.startsWith('node:')
      ? specifier
      : specifier.split('/')[0];

describe('libraries', () => {
  it.each(Object.entries(rooms))('%s is imported only in its room %s', (library, room) => {
    const strangers = sources.filter(
      (file) => !room.test(file) && importsOf(file).some((specifier) => libraryOf(specifier) === library),
    );
    expect(strangers).toEqual([]);
  });
});

describe('layers inside agent and cloud', () => {
  const composing = /\/(compose(-[a-z]+)?|main)\.ts$|\/src\/(cli|demo|phone|children)\//;

  it('only the composition root and programs reach for adapters', () => {
    const reaching = sources.filter(
      (file) =>
        !composing.test(file) &&
        !file.includes('/adapters/') &&
        importsOf(file).some((specifier) => specifier.includes('/adapters/')),
    );
    expect(reaching).toEqual([]);
  });

  it('ports know no adapter and no feature', () => {
    for (const file of sources.filter((path) => path.includes('/src/ports/'))) {
      expect(
        importsOf(file).filter((specifier) => specifier.includes('/adapters/')),
        file,
      ).toEqual([]);
    }
  });

  it('a repository never knows its routes', () => {
    for (const file of sources.filter((path) => path.endsWith('repository.ts'))) {
      expect(
        importsOf(file).filter((specifier) => /routes\.ts$|\/http\//.test(specifier)),
        file,
      ).toEqual([]);
    }
  });
});
