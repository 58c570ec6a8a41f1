import type { FilterFunction } from 'bufferevent';

/** Puts an `x` in front of every byte, within the limit. */
export const doubling: FilterFunction = (source, target, limit) => {
  const count = Math.min(source.length, Math.max(1, limit >> 1));
  if (source.length === 0) return 'need-more';
  const doubled = new Uint8Array(2 * count).fill(0x78);
  source.remove(count).forEach((byte, index) => {
    doubled[2 * index + 1] = byte;
  });
  target.add(doubled);
  return 'ok';
};

/** Takes the `x` away again. */
export const halving: FilterFunction = (source, target, limit) => {
  const count = Math.min(source.length >> 1, Math.max(1, limit));
  if (count === 0) return 'need-more';
  const doubled = source.remove(2 * count);
  const bytes = new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    if (doubled[2 * index] !== 0x78) throw new Error('not doubled');
    bytes[index] = doubled[2 * index + 1] as number;
  }
  target.add(bytes);
  return 'ok';
};
