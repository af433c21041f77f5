import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import net from 'node:net'
import { Linux, type SystemCalls } from '../../native/system-calls.js'

/**
 * The descriptor that the event loop of Node itself (libuv) sleeps on in this thread, or -1 if it cannot be found, as
 * where /proc is hidden. epoll(7): such a descriptor can be waited for like any other, and is readable while Node has
 * something to do. libuv offers it to programs in C (`uv_backend_fd`); here it is found by giving Node a socket to
 * read, and looking which epoll instance of the process has come to hold it.
 */
export async function findNodePoll (system: SystemCalls): Promise<number> {
  const pair = new Int32Array(2)
  // Out of descriptors.
  if (system.socketpair(Linux.AF_UNIX, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC | Linux.SOCK_NONBLOCK, 0,
    pair) < 0) return -1
  const [probeFd, otherFd] = pair as unknown as [number, number]
  let probe: net.Socket | undefined
  try {
    probe = new net.Socket({ fd: probeFd, readable: true, writable: false })
    probe.on('error', () => {})
    probe.unref()
    probe.resume()
    // Node tells its epoll instance when it next looks there, between the first of these and the second.
    for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve))
    return findHolder(probeFd)
  } catch {
    return -1
  } finally {
    probe?.destroy()
    system.close(otherFd)
    if (probe === undefined) system.close(probeFd)
  }
}

function findHolder (fd: number): number {
  const line = new RegExp(`^tfd:\\s+${fd}\\s`, 'm')
  for (const entry of readdirSync('/proc/self/fd')) {
    try {
      if (
        readlinkSync(`/proc/self/fd/${entry}`) === 'anon_inode:[eventpoll]' &&
        line.test(readFileSync(`/proc/self/fdinfo/${entry}`, 'utf8'))
      ) { return Number(entry) }
    } catch {
      // Closed in the meantime.
    }
  }
  return -1
}
