import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CliError } from '../../src/cli/cli-error.ts';
import { aresHome, credentialsFile, readCredentials } from '../../src/cli/home.ts';

describe('the home of an installation', () => {
  it.each([{}, { ARES_HOME: '' }])('is .ares where %j is set', (env) => {
    expect(aresHome(env)).toBe(resolve('.ares'));
  });

  it.each(['{', '{"url":1}', ''])('with damaged credentials (%s) says what to do', (content) => {
    const home = mkdtempSync(join(tmpdir(), 'ares-home-'));
    writeFileSync(credentialsFile(home), content);
    expect(() => readCredentials(home)).toThrow(CliError);
    expect(() => readCredentials(home)).toThrow(/is damaged\. Delete it and run npm start\./);
  });
});
