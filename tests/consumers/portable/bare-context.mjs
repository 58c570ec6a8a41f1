// Loads the installed package into a vm context that has the language and nothing else (no Buffer, no Node builtin; with
// `text`, the codecs of the web), and runs the portable program there. Started with --experimental-vm-modules.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

const text = process.argv[2] === 'text';
const dist = pathToFileURL('node_modules/evbuffer/dist/').href;
const context = vm.createContext(text ? { TextEncoder, TextDecoder, atob, btoa } : {});
const modules = new Map();

function load(specifier, from) {
  if (!specifier.startsWith('.')) throw new Error(`${from} imports ${specifier}: nothing may be imported from outside`);
  const url = new URL(specifier, from).href;
  let module = modules.get(url);
  if (module === undefined) {
    module = new vm.SourceTextModule(readFileSync(new URL(url), 'utf8'), { identifier: url, context });
    modules.set(url, module);
  }
  return module;
}

async function importInto(path, base = dist) {
  const module = load(path, base);
  await module.link((specifier, parent) => load(specifier, parent.identifier));
  await module.evaluate();
  return module.namespace;
}

const { run, runStreams } = await importInto('./program.js', pathToFileURL(`${process.cwd()}/`).href);
const evbuffer = await importInto('./index.js');
let count = run({
  evbuffer,
  framing: await importInto('./framing.js'),
  debug: await importInto('./debug.js'),
  foreign: new Uint8Array([104, 111, 115, 116]),
  text,
});
count += await runStreams({ evbuffer, web: await importInto('./web.js'), streams: false });
process.stdout.write(`${count} hold\n`);
