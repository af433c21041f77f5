import { Linux, type SystemCalls } from '../../native/system-calls.js'
import { KEEPALIVE } from '../engine.js'

const OPTIONS = ([
  [Linux.IPPROTO_TCP, Linux.TCP_NODELAY, 1],
  [Linux.SOL_SOCKET, Linux.SO_KEEPALIVE, 1],
  [Linux.IPPROTO_TCP, Linux.TCP_KEEPIDLE, KEEPALIVE.idleSec],
  [Linux.IPPROTO_TCP, Linux.TCP_KEEPINTVL, KEEPALIVE.intervalSec],
  [Linux.IPPROTO_TCP, Linux.TCP_KEEPCNT, KEEPALIVE.probes]
] as const).map(([level, option, value]) => [level, option, Int32Array.of(value)] as const)

/** Sets what every TCP socket has. Accepted sockets inherit it from the one that listens. */
export function setTcpOptions (system: SystemCalls, fd: number): void {
  for (const [level, option, value] of OPTIONS) system.setsockopt(fd, level, option, value, 4)
}
