export type { NativeBinding, NativeHalf } from './binding.js';
export type { NativeMechanism, NativePortStats } from './mechanism.js';
export { NativePort } from './native-port.js';
