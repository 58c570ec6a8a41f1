// A stage over epoll: plain JavaScript, because child processes and workers import it too.
import { Stage as AnyStage } from 'bufferevent-backend-compliance/life-cycle';
import { epollBackend } from 'bufferevent-epoll';

/** @typedef {import('bufferevent-epoll').EpollPort} EpollPort */

/** @extends {AnyStage<EpollPort>} */
export class Stage extends AnyStage {
  constructor() {
    super((sink) => /** @type {EpollPort} */ (epollBackend.createPort(sink)));
  }
}
