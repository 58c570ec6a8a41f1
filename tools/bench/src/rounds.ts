/**
 * Rounds of several candidates, interleaved (A B C, B C A, …), so that whatever else happens on the machine happens to
 * all of them. The result of a candidate is the list of its rounds.
 */
export async function interleave<Candidate, Result>(
  candidates: readonly Candidate[],
  rounds: number,
  measure: (candidate: Candidate, index: number) => Promise<Result>,
): Promise<Result[][]> {
  const results: Result[][] = candidates.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < candidates.length; turn++) {
      const index = (round + turn) % candidates.length;
      results[index]!.push(await measure(candidates[index]!, index));
    }
  }
  return results;
}
