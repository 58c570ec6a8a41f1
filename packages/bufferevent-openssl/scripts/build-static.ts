// Builds the addon with an OpenSSL of its own, for runtimes that share none: build-static/bufferevent_openssl.node, which
// is chosen by BUFFEREVENT_OPENSSL_ADDON. Its OpenSSL is that of the system at the time (Debian: libssl-dev), and so are
// its security updates: build it again after them.
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileAddon, nodeHeaders } from 'addons/compile';

const folder = fileURLToPath(new URL('..', import.meta.url));

if (existsSync('/usr/include/openssl/ssl.h')) {
  // Only these of Node: its OpenSSL is another one.
  const headers = join(folder, 'build-static/include');
  mkdirSync(headers, { recursive: true });
  for (const name of ['node_api.h', 'node_api_types.h', 'js_native_api.h', 'js_native_api_types.h']) {
    copyFileSync(join(nodeHeaders(), name), join(headers, name));
  }
  // Where the process exports an OpenSSL as well, neither may use a function of the other.
  const isolation = ['-Wl,-Bsymbolic', '-Wl,--exclude-libs,ALL'];
  const addon = compileAddon('bufferevent-openssl', 'build-static/bufferevent_openssl.node', {
    headers,
    words: ['-DBUFFEREVENT_OPENSSL_STATIC', '-s'],
    libraries: ['-l:libssl.a', '-l:libcrypto.a', ...isolation],
  });
  console.log(addon);
} else {
  console.log('bufferevent-openssl: no static build: openssl/ssl.h was not found');
  if (process.env['REQUIRE_TOOLS'] === '1') process.exitCode = 1;
}
