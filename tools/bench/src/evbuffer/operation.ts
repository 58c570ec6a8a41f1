/** What one candidate does for one work. Made once per process; `run` is called again and again. */
export interface Operation {
  /** Does it `times` times and returns the sum of what each gave: nobody can then skip the work, or do another. */
  run(times: number): number;
  /** What each one gives. */
  readonly gives: number;
}
