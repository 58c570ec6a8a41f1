import { exportedNames } from 'addons/import-library';
import { expect, it } from 'vitest';

const headers = `
node.exe:     file format pei-x86-64

[Ordinal/Name Pointer] Table
	[   0] ??$MakeCheckOpString@HH@base@v8@@YAPEAV?$basic_string@DU?$char_traits@D@std@@V?$allocator@D@2@@std@@HHPEBD@Z
	[   1] BIO_new
	[  21] napi_create_function
	[5584] uv_version

The Function Table (interpreted .pdata section contents)
`;

it('an import library has the functions of C that node.exe exports', () => {
  expect(exportedNames(headers)).toEqual(['BIO_new', 'napi_create_function', 'uv_version']);
});

it('an executable that exports nothing is refused', () => {
  expect(() => exportedNames(headers.replace('[Ordinal/Name Pointer] Table', ''))).toThrow('exports nothing');
});
