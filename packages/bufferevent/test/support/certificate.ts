import { execFileSync } from 'node:child_process';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

function make(): Certificate | null {
  const words =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost ' +
    '-addext subjectAltName=DNS:localhost -keyout - -out -';
  try {
    const pem = execFileSync('openssl', words.split(' '), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const [key = '', cert = ''] = pem.match(/-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n/gs) ?? [];
    return { key, cert };
  } catch {
    return null;
  }
}

/** For `localhost`, signed by itself; `null` on machines without the `openssl` program: skip then, visibly. */
export const certificate: Certificate | null = make();
