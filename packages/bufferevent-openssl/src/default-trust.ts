import { readFileSync } from 'node:fs';

/** What `node:tls` has for this in some version of Node; the newer ones have `getCACertificates`. */
interface NodeTls {
  readonly rootCertificates: readonly string[];
  getCACertificates?(kind: 'default'): readonly string[];
}

let bundle: Uint8Array | undefined;
/** Of what the bundle was made. Node answers the same list until it is given another (`setDefaultCACertificates`). */
let bundled: readonly string[] | undefined;

/**
 * The trust anchors that Node itself has by default, in PEM: the ones it carries, those of the system if it was told to
 * (`--use-system-ca`), and those of the file that `NODE_EXTRA_CA_CERTS` names; or those it was given in their place. The same
 * object for as long as they are the same.
 */
export function defaultTrust(): Uint8Array {
  // Not imported: only who needs this loads Node's own TLS.
  const tls: NodeTls = process.getBuiltinModule('node:tls');
  const list = tls.getCACertificates?.('default') ?? tls.rootCertificates;
  if (bundle === undefined || list !== bundled) bundle = Buffer.from(defaultAnchors(tls).join('\n'));
  bundled = list;
  return bundle;
}

/** Of a `node:tls`, old or new. */
export function defaultAnchors(tls: NodeTls): readonly string[] {
  return tls.getCACertificates?.('default') ?? [...tls.rootCertificates, ...extraAnchors()];
}

function extraAnchors(): string[] {
  const path = process.env['NODE_EXTRA_CA_CERTS'];
  if (path === undefined || path === '') return [];
  try {
    return [readFileSync(path, 'utf8')];
  } catch {
    // Node has warned of it when it started, and went on.
    return [];
  }
}
