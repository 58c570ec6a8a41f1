/** A Markdown table. The first `textColumns` are texts, the others numbers. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], textColumns = 1): string {
  return [header, header.map((_, column) => (column < textColumns ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
