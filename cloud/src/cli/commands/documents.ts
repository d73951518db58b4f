import { asyncApiDocument, openApiDocument } from '@ares/protocol/http';
import type { Command } from 'commander';
import { VERSION } from '../../version.ts';
import { printJson } from '../output.ts';

/** `ares openapi`, `ares asyncapi`: the documents of the API, without a cloud. */
export function documentCommands(program: Command): void {
  program
    .command('openapi')
    .description('print the HTTP API as OpenAPI 3.1')
    .action(() => printJson(openApiDocument({ version: VERSION })));
  program
    .command('asyncapi')
    .description('print the MQTT topics as AsyncAPI 3.0')
    .action(() => printJson(asyncApiDocument({ version: VERSION })));
}
