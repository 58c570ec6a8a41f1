import type { LocalConnection } from './conversations.js';
import type { Report, Settings } from './settings.js';

/** For each connection, counted from 0: what to say on it. */
export type ConversationOf = (index: number) => (connection: LocalConnection) => Promise<Report>;

/** Our end of the matrix, or what stands in for it. */
export interface LocalTls {
  readonly name: string;
  /** Verifies the server as `localhost`. Tries again for a while where nobody listens yet. One report a connection. */
  connect(port: number, settings: Settings, conversationOf: ConversationOf): Promise<readonly Report[]>;
  listen(settings: Settings, conversationOf: ConversationOf): Promise<LocalServer>;
}

export interface LocalServer extends AsyncDisposable {
  readonly port: number;
  /** Resolves when the agreed number of connections is over. */
  reports(): Promise<readonly Report[]>;
}

/** Gathers what comes of the connections of a server. */
export class Reports {
  readonly #wanted: number;
  readonly #begun: Promise<Report>[] = [];
  #resolve!: (whole: Promise<readonly Report[]>) => void;
  #reject!: (error: Error) => void;
  /** Resolves with so many as are wanted; rejects with the first failure. */
  readonly whole: Promise<readonly Report[]>;

  constructor(wanted: number) {
    this.#wanted = wanted;
    this.whole = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Who waits for it hears of a failure; before that, nobody may.
    this.whole.catch(() => {});
  }

  /** Connections so far. */
  get count(): number {
    return this.#begun.length;
  }

  add(report: Promise<Report>): void {
    this.#begun.push(report);
    report.catch((error) => this.fail(error));
    if (this.#begun.length === this.#wanted) this.#resolve(Promise.all(this.#begun));
  }

  fail(error: Error): void {
    this.#reject(error);
  }
}

const listeningMs = 15_000;
const pauseMs = 25;

/** What `connect` comes to, tried until somebody listens: programs do not all say when they do. */
export async function whenListening<Value>(connect: () => Promise<Value>): Promise<Value> {
  const startedMs = performance.now();
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ECONNREFUSED' || performance.now() - startedMs > listeningMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
