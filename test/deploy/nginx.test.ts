import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, freePort } from '../support/ares-process.ts';
import { makeTestAuthority } from '../support/certificates.ts';
import { readText } from '../support/repository.ts';

const nginxMissing = !existsSync('/usr/sbin/nginx') && process.env['CI'] === undefined;

describe.skipIf(nginxMissing)(
  'nginx with the configuration of deploy/ (skipped without /usr/sbin/nginx)',
  () => {
    let api: http.Server;
    let nginx: ChildProcess;
    let ports: { http: number; https: number };
    let root: string;
    /** Lets the stream of events say its second word. */
    let goOn: () => void = () => undefined;

    beforeAll(async () => {
      api = http.createServer((asked, answer) => {
        if (asked.url === '/events') {
          answer.writeHead(200, { 'content-type': 'text/event-stream' });
          answer.write('data: 1\n\n');
          goOn = () => answer.end('data: 2\n\n');
          return;
        }
        asked.resume();
        asked.on('end', () => answer.end(JSON.stringify({ headers: asked.headers, url: asked.url })));
      });
      await new Promise<void>((listening) => api.listen(0, '127.0.0.1', listening));
      const folder = mkdtempSync(join(tmpdir(), 'ares-nginx-'));
      ports = { http: await freePort(), https: await freePort() };
      const authority = await makeTestAuthority();
      const server = await authority.issue({ commonName: 'localhost', usage: 'server' });
      root = authority.certificatePem;
      writeFileSync(join(folder, 'server.pem'), server.certificatePem);
      writeFileSync(join(folder, 'server.key'), server.keyPem, { mode: 0o600 });
      const variables: Record<string, string | number> = {
        ARES_PUBLIC_HOST: 'localhost',
        ARES_HTTP_PORT: `127.0.0.1:${ports.http}`,
        ARES_HTTPS_PORT: `127.0.0.1:${ports.https}`,
        ARES_TLS_FOLDER: folder,
        ARES_API_UPSTREAM: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
      };
      const site = readText('deploy/nginx/ares.conf.template').replace(/\$\{(\w+)\}/g, (_, name: string) =>
        String(variables[name]),
      );
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => {
        mkdirSync(join(folder, name));
        return `${name}_temp_path ${join(folder, name)};`;
      });
      writeFileSync(
        join(folder, 'nginx.conf'),
        // Its workers write large bodies into folders of whoever runs this.
        `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; pid ${folder}/nginx.pid; error_log stderr;
      events {}
      http { access_log off; ${temporary.join(' ')} ${site} }`,
      );
      const args = ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'];
      execFileSync('/usr/sbin/nginx', [...args, '-t'], { stdio: 'pipe' });
      nginx = spawn('/usr/sbin/nginx', args, { stdio: 'ignore' });
      await eventually(
        'nginx answers',
        async () =>
          (await fetch(`http://127.0.0.1:${ports.http}/`, { redirect: 'manual' }).catch(() => undefined))
            ?.status === 301,
      );
    });
    afterAll(async () => {
      nginx?.kill('SIGTERM');
      api?.closeAllConnections();
      await new Promise((closed) => api?.close(closed));
    });

    const get = (path: string, headers: Record<string, string> = {}, body?: string) =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        const sent = request(
          {
            host: '127.0.0.1',
            port: ports.https,
            servername: 'localhost',
            path,
            ca: root,
            headers,
            method: body === undefined ? 'GET' : 'POST',
          },
          (answer) => {
            let text = '';
            answer.setEncoding('utf8').on('data', (part: string) => {
              text += part;
            });
            answer.on('end', () => resolve({ status: answer.statusCode!, text }));
          },
        );
        sent.once('error', reject);
        sent.end(body);
      });

    it('sends people to TLS', async () => {
      const answer = await fetch(`http://127.0.0.1:${ports.http}/docs?a=1`, {
        redirect: 'manual',
        headers: { host: 'localhost' },
      });
      expect(answer.headers.get('location')).toMatch(/^https:\/\/.*\/docs\?a=1$/);
    });

    it('tells the API who asks, and not what the client says about itself', async () => {
      const { text } = await get('/api/devices?limit=1', {
        'x-forwarded-for': '6.6.6.6',
        host: 'ares.example',
      });
      const seen = JSON.parse(text) as { headers: Record<string, string>; url: string };
      expect(seen.headers['x-forwarded-for']).toBe('127.0.0.1');
      expect(seen.headers['host']).toBe('ares.example');
      expect(seen.url).toBe('/api/devices?limit=1');
    });

    it('passes events on as they come', async () => {
      const parts: string[] = [];
      await new Promise<void>((resolve, reject) => {
        const sent = request(
          { host: '127.0.0.1', port: ports.https, servername: 'localhost', path: '/events', ca: root },
          (answer) => {
            answer.setEncoding('utf8').on('data', (part: string) => {
              parts.push(part);
              // Only the first word is out: it can have come only if nothing holds it back.
              if (parts.length === 1) goOn();
            });
            answer.on('end', resolve);
          },
        );
        sent.once('error', reject);
        sent.end();
      });
      expect(parts).toEqual(['data: 1\n\n', 'data: 2\n\n']);
    });

    it('API-04 refuses what is too large before it is read', async () => {
      expect((await get('/api/devices', {}, 'x'.repeat(1_100_000))).status).toBe(413);
      expect((await get('/api/devices', {}, 'x'.repeat(900_000))).status).toBe(200);
    });
  },
);
