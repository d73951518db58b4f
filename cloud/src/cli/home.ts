import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { CliError } from './cli-error.ts';

const account = z.strictObject({ email: z.string(), password: z.string() });
const savedSchema = z.strictObject({ url: z.url(), owner: account, administrator: account });
/** The accounts made for this installation, kept with mode 0600. */
export type SavedCredentials = z.infer<typeof savedSchema>;

/** Where `npm start` keeps everything: `ARES_HOME`, else `.ares` in the folder of the command. */
export function aresHome(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env['ARES_HOME'] || '.ares');
}

export const credentialsFile = (home: string): string => join(home, 'credentials.json');
/** The virtual Pi of `npm start`. */
export const piFolder = (home: string): string => join(home, 'pi');

/** @throws {CliError} when `npm start` has not run here */
export function readCredentials(home: string): SavedCredentials {
  let text: string;
  try {
    text = readFileSync(credentialsFile(home), 'utf8');
  } catch {
    throw new CliError(
      `No installation in ${home}. Run npm start first, or set ARES_URL, ARES_EMAIL and ARES_PASSWORD.`,
    );
  }
  try {
    return savedSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CliError(`${credentialsFile(home)} is damaged. Delete it and run npm start.`, { cause });
  }
}
