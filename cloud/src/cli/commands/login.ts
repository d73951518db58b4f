import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { printJson } from '../output.ts';
import type { CliContext } from '../program.ts';
import { sessionFile } from '../saved-session.ts';
import { anonymousClient, toTokens } from '../session.ts';
import { openSecretInput } from './secret-input.ts';

/** `ares login`, `ares logout` */
export function loginCommands(program: Command, context: CliContext): void {
  program
    .command('login <email>')
    .description('sign in to a cloud; the password comes from ARES_PASSWORD or is asked for, and is not kept')
    .option('--url <url>', 'the cloud', process.env['ARES_URL'] ?? 'http://127.0.0.1:8080')
    .action(async (email: string, { url }: { url: string }) => {
      if (!URL.canParse(url)) throw new CliError(`${url} is no address. Write https://ares.example.org`);
      const input = openSecretInput({ signal: context.signal });
      const password = await input.password(email).finally(() => input.close());
      const answer = await anonymousClient(url).login({ body: { email, password } });
      const file = sessionFile(context.home);
      const before = await file.read().catch(() => undefined);
      await file.write({ url, email: answer.user.email, ...toTokens(answer) });
      if (before !== undefined) await signOut(before);
      if (context.json()) return printJson({ url, user: answer.user });
      console.log(
        `Signed in to ${url} as ${answer.user.email}. Commands use this account until ares logout.`,
      );
      if (!answer.user.emailVerified) console.log('The e-mail of this account is not verified yet.');
    });

  program
    .command('logout')
    .description('end the session of ares login')
    .action(async () => {
      const file = sessionFile(context.home);
      const session = await file.read();
      if (session === undefined) throw new CliError('Nobody is signed in by ares login.');
      // Removed first: whatever the cloud says, this computer has no session any more.
      await file.remove();
      const told = await signOut(session);
      if (context.json()) return printJson({ url: session.url, email: session.email, told });
      console.log(
        told
          ? `Signed out of ${session.url}.`
          : `Forgot the session here; ${session.url} did not answer and holds it for 30 days at most.`,
      );
    });
}

async function signOut({ url, refreshToken }: { url: string; refreshToken: string }): Promise<boolean> {
  try {
    await anonymousClient(url).logout({ body: { refreshToken } });
    return true;
  } catch {
    return false;
  }
}
