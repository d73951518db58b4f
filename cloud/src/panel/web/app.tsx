import { useEffect, useState } from 'preact/hooks';
import { DeviceList } from './device-list.tsx';
import { DevicePage } from './device-page.tsx';
import { clockText, durationText } from './format.ts';
import { useNow, usePanel } from './panel.ts';
import { SignIn } from './sign-in.tsx';
import { useStore } from './store.ts';

/** The part after `#`: works on every server path, and the back button with it. */
function useRoute(): string {
  const [route, setRoute] = useState(location.hash.slice(1));
  useEffect(() => {
    const changed = () => {
      setRoute(location.hash.slice(1));
      scrollTo(0, 0);
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

export function App() {
  const panel = usePanel();
  const { signedIn, notice } = useStore(panel.account);
  const { link } = useStore(panel.fleet);
  const route = useRoute();
  if (signedIn === undefined) return <SignIn notice={notice} />;
  const deviceUuid = /^\/devices\/([0-9a-f-]{36})$/.exec(route)?.[1];
  return (
    <>
      <header class="bar">
        <a class="brand" href="#/">
          Ares
        </a>
        <LinkState />
        <span class="who">{signedIn.user.email}</span>
        <button
          type="button"
          class="quiet"
          onClick={() => {
            // The next account begins at its own list; after a session that merely ended the place is kept.
            location.hash = '#/';
            panel.signOut();
          }}
        >
          Sign out
        </button>
      </header>
      <Interrupted />
      <main class={link.phase === 'live' ? '' : 'not-live'}>
        {deviceUuid === undefined ? (
          <DeviceList user={signedIn.user} />
        ) : (
          <DevicePage key={deviceUuid} deviceUuid={deviceUuid} />
        )}
      </main>
    </>
  );
}

function LinkState() {
  const { link } = useStore(usePanel().fleet);
  const text = { live: 'Live', connecting: 'Connecting', waiting: 'Not live' }[link.phase];
  return (
    <span class={`link ${link.phase}`} role="status">
      {text}
    </span>
  );
}

/** Says since when the values on the page are old, and when the next attempt comes. */
function Interrupted() {
  const panel = usePanel();
  const { link, liveUntil } = useStore(panel.fleet);
  const now = useNow();
  if (link.phase === 'live' || (link.phase === 'connecting' && liveUntil === undefined)) return null;
  const since =
    liveUntil === undefined
      ? 'There is no live connection.'
      : `Not live since ${clockText(liveUntil)}; values may have changed.`;
  return (
    <div class="interrupted">
      <p>
        {link.phase === 'waiting' ? `${link.why} ` : ''}
        {since}{' '}
        {link.phase === 'waiting' ? `Trying again in ${durationText(link.retryAt - now)}.` : 'Trying now.'}
      </p>
      {link.phase === 'waiting' && (
        <button type="button" onClick={() => panel.nudge()}>
          Try now
        </button>
      )}
    </div>
  );
}
