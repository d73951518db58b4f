import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { StaticAssets } from '../http/app.ts';

/** As strict as the panel's, but Swagger UI draws its icons from data: URLs. */
const contentSecurityPolicy =
  "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ares API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<script src="/docs/swagger-ui-bundle.js" defer></script>
<script src="/docs/start.js" defer></script>
</head>
<body><div id="docs"></div></body>
</html>
`;

// A script of its own: the policy allows none inside of the page. No validator of others is asked.
const start = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

/** The API's pages at `/docs`, by Swagger UI from this machine: nothing is fetched from elsewhere. */
export async function docsAssets(): Promise<StaticAssets> {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const [script, style] = await Promise.all(
    ['swagger-ui-bundle.js', 'swagger-ui.css'].map((name) => readFile(join(folder, name))),
  );
  const javascript = 'text/javascript; charset=utf-8';
  const files = new Map([
    ['/docs', asset('text/html; charset=utf-8', Buffer.from(page))],
    ['/docs/start.js', asset(javascript, Buffer.from(start))],
    ['/docs/swagger-ui-bundle.js', asset(javascript, script!)],
    ['/docs/swagger-ui.css', asset('text/css; charset=utf-8', style!)],
  ]);
  return { lookup: (path) => files.get(path) };
}

function asset(type: string, body: Buffer) {
  return {
    body,
    headers: {
      'content-type': type,
      'cache-control': 'no-cache',
      'content-security-policy': contentSecurityPolicy,
    },
  };
}
