const MARGIN = 12;
const WIDTH = 860;
const VALUE_WIDTH = 76;
const BAR_HEIGHT = 14;
const BAR_STEP = 18;
const TITLE_HEIGHT = 26;
const GROUP_GAP = 14;
const HEADER_HEIGHT = 40;

export interface BarChart {
  /** For who can't see it. */
  readonly label: string;
  readonly head: string;
  readonly note: string;
  readonly groups: readonly BarGroup[];
  /** Room for the names of bars. */
  readonly labelWidth: number;
  /** How values are shown. */
  readonly show: (value: number) => string;
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Whether it stands out. */
  readonly ours: boolean;
}

/**
 * Groups of bars on one logarithmic scale, as an SVG. It has a background of its own, as the page around it need not be
 * as light or dark as the reader's system says.
 */
export function drawBarChart({ label, head, note, groups, labelWidth, show }: BarChart): string {
  const all = groups.flatMap(({ bars }) => bars.map(({ value }) => value));
  const scale = logarithmic(Math.min(...all), Math.max(...all), labelWidth);
  const parts: string[] = [];
  let y = HEADER_HEIGHT;
  for (const { title, bars } of groups) {
    parts.push(`<text class="title" x="0" y="${y + 17}">${escaped(title)}</text>`);
    y += TITLE_HEIGHT;
    // Behind the bars only: a line through a title is hard to read.
    for (const tick of scale.ticks) {
      const x = scale.x(tick).toFixed(1);
      parts.push(`<line class="grid" x1="${x}" x2="${x}" y1="${y - 4}" y2="${y + bars.length * BAR_STEP}"/>`);
    }
    for (const { name, value, ours } of bars) {
      const end = scale.x(value);
      const baseline = y + BAR_HEIGHT - 3;
      parts.push(
        `<text class="label" x="${labelWidth - 8}" y="${baseline}">${escaped(name)}</text>`,
        `<rect class="${ours ? 'ours' : 'theirs'}" x="${labelWidth}" y="${y}" ` +
          `width="${(end - labelWidth).toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
        `<text class="value" x="${(end + 6).toFixed(1)}" y="${baseline}">${show(value)}</text>`,
      );
      y += BAR_STEP;
    }
    y += GROUP_GAP;
  }
  const ticks = scale.ticks.map(
    (tick) => `<text class="tick" x="${scale.x(tick).toFixed(1)}" y="${y}">${show(tick)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-MARGIN} ${-MARGIN} ${WIDTH + 2 * MARGIN} ${y + 2 * MARGIN}" role="img" aria-label="${escaped(label)}">`,
    STYLE,
    `<rect class="page" x="${-MARGIN}" y="${-MARGIN}" width="100%" height="100%" rx="6"/>`,
    `<text class="head" x="0" y="16">${escaped(head)}</text>`,
    `<text class="note" x="0" y="32">${escaped(note)}</text>`,
    ...parts,
    ...ticks,
    '</svg>',
    '',
  ].join('\n');
}

const STYLE = `<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.page { fill: #ffffff }
.head { font-weight: 600; font-size: 14px }
.title { font-weight: 600 }
.note, .tick { fill: #59636e; font-size: 11px }
.label { text-anchor: end }
.tick { text-anchor: middle }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.ours { fill: #0969da }
.theirs { fill: #9198a1 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .page { fill: #0d1117 }
  .note, .tick { fill: #9198a1 }
  .grid { stroke: #3d444d }
  .ours { fill: #4493f8 }
  .theirs { fill: #656c76 }
}
</style>`;

/** Whole powers of ten from the one below the least value, which so gets a bar that can be seen. */
function logarithmic(least: number, most: number, start: number): { ticks: number[]; x: (value: number) => number } {
  const first = Math.ceil(Math.log10(least)) - 1;
  const last = Math.log10(most);
  const width = WIDTH - start - VALUE_WIDTH;
  return {
    ticks: Array.from({ length: Math.floor(last) - first + 1 }, (_, index) => 10 ** (first + index)),
    x: (value) => start + (width * (Math.log10(value) - first)) / (last - first),
  };
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}
