import type { Bufferevent } from '../../bufferevent.js';
import type { Dialled, Ends, Flavour } from '../flavour.js';
import type { Fault } from './fault.js';

/** A kind of bufferevent that breaks one rule, in a manner that real ones have been seen to. The suite must reject it. */
export interface BrokenFake {
  /** The rule as cases cite it: `RD-8`. */
  readonly rule: string;
  /** What it does, as a sentence. */
  readonly title: string;
  /** The same flavour with the fault in both ends of every connection. */
  over(flavour: Flavour): Flavour;
}

export function brokenFake(rule: string, title: string, Kind: new (below: Bufferevent) => Fault): BrokenFake {
  const broken = (bev: Bufferevent): Bufferevent => new Kind(bev).self;
  return {
    rule,
    title,
    over: (flavour) => ({
      ...flavour,
      name: `${flavour.name} that ${title}`,
      async open(options) {
        const ends = await flavour.open(options);
        return overlay<Ends>(ends, { a: broken(ends.a), b: broken(ends.b) });
      },
      ...(flavour.dial && {
        async dial(outcome, options) {
          const dialled = await (flavour.dial as NonNullable<Flavour['dial']>)(outcome, options);
          let b: Bufferevent | null = null;
          return overlay<Dialled>(dialled, {
            a: broken(dialled.a),
            get b() {
              if (b === null && dialled.b !== null) b = broken(dialled.b);
              return b;
            },
          });
        },
      }),
    }),
  };
}

/** What a flavour has set up, with some members of ours in front. */
function overlay<Setting extends object>(setting: Setting, members: Partial<Setting>): Setting {
  return new Proxy(setting, {
    get(target, name) {
      const owner: object = Object.hasOwn(members, name) ? members : target;
      const value: unknown = Reflect.get(owner, name, owner);
      return typeof value === 'function' ? value.bind(owner) : value;
    },
  });
}
