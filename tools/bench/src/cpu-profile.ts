/** The part of V8's profile format that is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly name: string;
  readonly microseconds: number;
}

/** Time spent in each function itself, most first. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): SelfTime[] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const file = url.split('/').slice(-4).join('/');
      return [id, `${functionName || '(anonymous)'}${url === '' ? '' : `  ${file}:${lineNumber + 1}`}`];
    }),
  );
  const totals = new Map<string, number>();
  samples.forEach((id, index) => {
    const name = names.get(id) ?? '?';
    totals.set(name, (totals.get(name) ?? 0) + timeDeltas[index]!);
  });
  return Array.from(totals, ([name, microseconds]) => ({ name, microseconds })).sort(
    (a, b) => b.microseconds - a.microseconds,
  );
}
