import { exchangeAndClose, exchangeUntilClosed } from './conversations.js';
import type { Feature, Peer, RunningServer } from './peer.js';
import { Program } from './program.js';
import type { Report, Settings } from './settings.js';

export interface Script {
  readonly name: string;
  readonly library: string;
  readonly tools: readonly string[];
  version(): string;
  /** The program and its first words; compiles it where that is needed. */
  command(settings: Settings): readonly string[];
  readonly clientCannot?: Partial<Record<Feature, string>>;
  readonly serverCannot?: Partial<Record<Feature, string>>;
}

/**
 * A peer whose programs are ours: `programs/` has one for each language, and all take the same words and print the same
 * lines of JSON. They send and take all bytes at once; the client closes first.
 */
export function scriptedPeer(script: Script): Peer {
  const { name, library, tools } = script;
  return {
    name,
    library,
    tools,
    version: () => script.version(),
    client: {
      conversation: exchangeUntilClosed,
      cannot: script.clientCannot ?? {},
      async connect(port, settings) {
        using program = start(script, 'client', settings, port);
        await program.succeeded();
        return reportsOf(program, settings);
      },
    },
    server: {
      conversation: exchangeAndClose,
      cannot: script.serverCannot ?? {},
      async start(settings): Promise<RunningServer> {
        const program = start(script, 'server', settings, 0);
        const [, port] = await program.matched(/^\{"listening": ?(\d+)\}$/);
        return {
          port: Number(port),
          async reports() {
            await program.succeeded();
            return reportsOf(program, settings);
          },
          [Symbol.dispose]: () => program.kill(),
        };
      },
    },
  };
}

function start(script: Script, role: 'client' | 'server', settings: Settings, port: number): Program {
  const { credentials, version, bytes, connections, alpn, clientCertificate } = settings;
  const { certificate, key, pkcs12 } = credentials[role];
  const words: Record<string, string | number> = {
    role,
    port,
    version,
    bytes,
    connections,
    ca: credentials.ca,
    ...(alpn !== null && { alpn }),
    ...((role === 'server' || clientCertificate) && { certificate, key, pkcs12, password: credentials.password }),
    ...(clientCertificate && { 'client-certificate': 'yes' }),
  };
  const [command = '', ...first] = script.command(settings);
  return new Program(command, [...first, ...Object.entries(words).map(([word, value]) => `--${word}=${value}`)]);
}

function reportsOf(program: Program, { connections }: Settings): Report[] {
  const reports = [...program.transcript.matchAll(/^\{"protocol".*\}$/gm)].map(([line]) => JSON.parse(line) as Report);
  if (reports.length !== connections) throw new Error(`${reports.length} reports: ${program.transcript}`);
  return reports;
}
