import type { Bufferevent } from 'bufferevent';
import { type SslContext, upgradeToTls } from 'bufferevent-openssl';

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
}

const MAX_LINE_BYTES = 1000;
const MAX_MAIL_CHARACTERS = 1024 * 1024;
/** RFC 5321 §4.5.3.1.8 asks for room for so many. */
const MAX_RECIPIENTS = 100;

/**
 * One client. Talks in lines, one after the other, with pulls: nothing is read beyond what is asked for, so that what
 * comes after STARTTLS comes out of TLS.
 */
export class SmtpSession {
  readonly #bev: Bufferevent;
  readonly #context: SslContext;
  readonly #deliver: (mail: Mail) => void;
  #isEncrypted = false;
  #from: string | null = null;
  #to: string[] = [];

  constructor(bev: Bufferevent, context: SslContext, deliver: (mail: Mail) => void) {
    this.#bev = bev;
    this.#context = context;
    this.#deliver = deliver;
  }

  /** Serves until the client leaves; rejects when the connection fails. */
  async run(): Promise<void> {
    this.#say('220 localhost ESMTP');
    for (;;) {
      const line = await this.#read();
      if (line === null) break;
      const [, verb = '', rest = ''] = /^(\S*) ?(.*)$/.exec(line) ?? [];
      if (verb.toUpperCase() === 'QUIT') {
        this.#say('221 goodbye');
        break;
      }
      await this.#obey(verb.toUpperCase(), rest);
    }
    await this.#bev.end();
  }

  #say(...lines: string[]): void {
    for (const line of lines) this.#bev.write(`${line}\r\n`);
  }

  /**
   * Only CR LF ends a line: what others take for an end would let them see a mail where we see none. Who does not read our
   * answers is not read either.
   */
  async #read(): Promise<string | null> {
    await this.#bev.drained();
    return this.#bev.readLine('crlf-strict', { maxBytes: MAX_LINE_BYTES });
  }

  async #obey(verb: string, rest: string): Promise<void> {
    switch (verb) {
      case 'EHLO':
        this.#forget();
        return this.#say('250-localhost', this.#isEncrypted ? '250 8BITMIME' : '250 STARTTLS');
      case 'HELO':
      case 'RSET':
        this.#forget();
        return this.#say('250 fine');
      case 'NOOP':
        return this.#say('250 fine');
      case 'STARTTLS':
        return this.#startTls();
      case 'MAIL':
        return this.#mail(/^FROM:<([^>]*)>/i.exec(rest)?.[1]);
      case 'RCPT':
        return this.#recipient(/^TO:<([^>]+)>/i.exec(rest)?.[1]);
      case 'DATA':
        return this.#data();
      default:
        return this.#say('502 not known here');
    }
  }

  /** What was said in the open may have been said by anybody: nothing of it counts afterwards (RFC 3207). */
  async #startTls(): Promise<void> {
    if (this.#isEncrypted) return this.#say('503 it is TLS already');
    this.#say('220 go ahead');
    // Throws for bytes that came along with the command: somebody in the middle would like them to be taken for the
    // client's own, said under TLS. The connection is given up then.
    await upgradeToTls(this.#bev, { isServer: true, context: this.#context });
    this.#isEncrypted = true;
    this.#forget();
  }

  #mail(from: string | undefined): void {
    if (!this.#isEncrypted) return this.#say('530 say STARTTLS first');
    if (from === undefined) return this.#say('501 MAIL FROM:<address>');
    this.#forget();
    this.#from = from;
    this.#say('250 fine');
  }

  #recipient(to: string | undefined): void {
    if (this.#from === null) return this.#say('503 say MAIL first');
    if (to === undefined) return this.#say('501 RCPT TO:<address>');
    if (this.#to.length === MAX_RECIPIENTS) return this.#say('452 too many recipients');
    this.#to.push(to);
    this.#say('250 fine');
  }

  async #data(): Promise<void> {
    const from = this.#from;
    if (from === null || this.#to.length === 0) return this.#say('503 say MAIL and RCPT first');
    this.#say('354 end with a dot on a line of its own');
    const lines: string[] = [];
    let characters = 0;
    for (;;) {
      const line = await this.#read();
      if (line === null) throw new Error('the client has left within a mail');
      if (line === '.') break;
      characters += line.length + 2;
      // The rest of a mail that is too long is read, and not kept.
      if (characters <= MAX_MAIL_CHARACTERS) lines.push(line.startsWith('.') ? line.slice(1) : line);
    }
    if (characters > MAX_MAIL_CHARACTERS) this.#say('552 too long');
    else {
      this.#deliver({ from, to: this.#to, text: lines.map((line) => `${line}\r\n`).join('') });
      this.#say('250 delivered');
    }
    this.#forget();
  }

  #forget(): void {
    this.#from = null;
    this.#to = [];
  }
}
