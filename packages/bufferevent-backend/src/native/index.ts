export type { NativeBinding, NativeHalf } from './binding.js';
export type { NativeCounts, NativeMechanism, NativePortStats, SystemCalls } from './mechanism.js';
export { NativePort } from './native-port.js';
