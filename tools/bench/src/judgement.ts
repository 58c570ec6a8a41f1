/** What came of one requirement, in its own words. */
export interface Judgement {
  readonly reached: string;
  readonly required: string;
  readonly holds: boolean;
}

export function judgeLimit(value: number, limit: number, unit: string, digits = 1): Judgement {
  return {
    reached: `${value.toFixed(digits)}${unit}`,
    required: `at most ${limit}${unit}`,
    holds: value <= limit,
  };
}

/** The cells of a table. */
export function verdict({ reached, required, holds }: Judgement): string[] {
  return [reached, required, holds ? 'yes' : '**no**'];
}

export function times(ratio: number): string {
  return `${ratio >= 100 ? ratio.toFixed(0) : ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2)}×`;
}
