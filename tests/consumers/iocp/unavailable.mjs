// Says why there are no completion ports, in every way in which it can be asked.
import { createIocpBackend, iocpBackend } from 'bufferevent-iocp';

console.log(iocpBackend.isAvailable(), iocpBackend.unavailabilityReason());
for (const backend of [iocpBackend, createIocpBackend({ threads: 4 })]) {
  try {
    backend.createPort(() => undefined);
  } catch (error) {
    console.log(error.code, error.message);
  }
}
