import { writeFileSync } from 'node:fs';
import { vectors } from './vectors.ts';

for (const [name, content] of Object.entries(vectors)) {
  const file = new URL(`../../fixtures/offline-tokens/${name}`, import.meta.url);
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}
