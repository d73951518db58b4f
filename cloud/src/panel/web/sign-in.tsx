import type { TargetedSubmitEvent } from 'preact';
import { useAttempt, usePanel } from './panel.ts';

/** The password goes into one request and is kept nowhere. */
export function SignIn({ notice }: { readonly notice: string | undefined }) {
  const panel = usePanel();
  const [attempt, run] = useAttempt();
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    void run(async () => {
      const session = await panel.client.login({
        body: { email: String(fields.get('email')), password: String(fields.get('password')) },
      });
      panel.signIn(session);
    });
  };
  return (
    <main class="sign-in">
      <h1>Ares</h1>
      <p class="muted">Sign in to see your devices.</p>
      {notice !== undefined && attempt.phase === 'idle' && <p role="status">{notice}</p>}
      <form onSubmit={submit}>
        <label>
          E-mail
          <input name="email" type="email" autocomplete="username" required maxLength={254} />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" required maxLength={200} />
        </label>
        {attempt.phase === 'failed' && (
          <p class="problem" role="alert">
            {attempt.why}
          </p>
        )}
        <button type="submit" class="main" disabled={attempt.phase === 'busy'}>
          {attempt.phase === 'busy' ? 'Signing in' : 'Sign in'}
        </button>
      </form>
      <p class="muted small">
        After <code>npm start</code> the accounts of this installation are shown again by{' '}
        <code>npm run ares -- credentials</code>.
      </p>
    </main>
  );
}
