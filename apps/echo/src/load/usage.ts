/** What a server process has used since it started. */
export interface Usage {
  /** Microseconds. */
  readonly cpu: { readonly user: number; readonly system: number };
  readonly rssBytes: number;
  readonly maxRssBytes: number;
}

export const usageQuestion = 'usage';

/** Answers the question of the process that forked this one, without keeping this one alive. Nothing without a fork. */
export function answerUsageQuestions(): void {
  if (process.send === undefined) return;
  process.on('message', (message) => {
    if (message === usageQuestion) process.send?.(currentUsage());
  });
  process.channel?.unref();
}

function currentUsage(): Usage {
  return {
    cpu: process.cpuUsage(),
    rssBytes: process.memoryUsage.rss(),
    maxRssBytes: process.resourceUsage().maxRSS * 1024, // Node reports kibibytes on every platform.
  };
}
