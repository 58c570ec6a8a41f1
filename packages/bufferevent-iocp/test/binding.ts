import { findBinding, type IocpBinding } from '../src/binding.js';

/** The addon, with what it has for tests. */
export const binding: IocpBinding = demanded();

function demanded(): IocpBinding {
  const found = findBinding();
  if ('reason' in found) throw new Error(found.reason);
  return found.binding;
}
