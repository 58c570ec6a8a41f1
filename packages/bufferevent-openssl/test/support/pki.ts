import { createTestPki, type TestPki } from 'certificates';

/** The certificates of this process. */
export const pki: TestPki = await createTestPki();
