import type { CloudDatabase, NoticeKind, Notices } from '../../src/ports/database.ts';
import { until } from './quiet.ts';

/** What is heard from now on; resolves when the listening connection is up, which a probe shows. */
export async function hearNotices<K extends NoticeKind>(
  database: CloudDatabase,
  kind: K,
  probe: Notices[K],
): Promise<{ readonly heard: Notices[K][]; stop(): void }> {
  const heard: Notices[K][] = [];
  const stop = database.listen(
    kind,
    (notice) => heard.push(notice),
    () => undefined,
  );
  await until(async () => {
    await database.notify(database.db, kind, probe);
    return heard.length > 0;
  }, 'the listening connection');
  return { heard, stop };
}
