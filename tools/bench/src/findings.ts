import type { Judgement } from './judgement.js';

/** A requirement and what came of it; `judgement` is null when it was not measured. */
export interface Finding {
  readonly id: string;
  readonly title: string;
  readonly judgement: Judgement | null;
}

/** How many hold, as Markdown, and which do not. */
export function summarise(all: readonly Finding[]): string {
  const missed = all.filter(({ judgement }) => judgement?.holds === false);
  const unmeasured = all.filter(({ judgement }) => judgement === null).length;
  const held = all.length - missed.length - unmeasured;
  const summary = `${held} of ${all.length} requirements hold, ${missed.length} are missed, ${unmeasured} were not measured.`;
  return [
    missed.length === 0 ? summary : `${summary} Missed:\n`,
    ...missed.map(({ title, judgement }) => `- ${title}: ${judgement?.reached}, required ${judgement?.required}`),
  ].join('\n');
}

/** Names what does not hold, or was not measured, and lets the process end with 1 then. */
export function check(findings: readonly Finding[]): void {
  const failed = findings.filter(({ judgement }) => judgement?.holds !== true);
  for (const { title, judgement } of failed) {
    const reason = judgement === null ? 'not measured' : `${judgement.reached}, required ${judgement.required}`;
    console.error(`missed: ${title}: ${reason}`);
  }
  if (failed.length > 0) process.exitCode = 1;
}
