import { findBinding } from './binding.js';

/** Whether TLS can be used in this process. Importing the package never throws, and looks for the addon at first use. */
export function isAvailable(): boolean {
  return 'binding' in findBinding();
}

/** Why TLS can't be used in this process, as one sentence; `null` when it can. */
export function unavailabilityReason(): string | null {
  const found = findBinding();
  return 'reason' in found ? found.reason : null;
}
