export { type Authority, type CertificateSpec, issue, makeAuthority, type TestCertificate } from './authority.js';
export { createTestPki, type TestPki } from './pki.js';
export { createPfx, encryptKey, hasOpensslProgram } from './protected-keys.js';
export { type CertificateFiles, type PkiFiles, writePki } from './write-pki.js';
