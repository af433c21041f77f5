import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import type { LoadResult } from '../../src/load/job.js'
import { serveRole } from '../control.js'

/**
 * An entry point of a role that behaves as a test asks it to: by the options it is started with, and by the path of a
 * job. A job whose path is nothing of the below is returned as its own result.
 */
export type Oddity =
  /** `start()` fails. */
  | 'refuse' | 'bug' | 'hang' | 'exit'
  /** It answers `close()` and does not end, or it never answers. */
  | 'linger' | 'mute'

const actions: Record<string, () => unknown> = {
  refuse: () => { throw new TunnelError(ErrorCode.ADDRESS_IN_USE, 'Cannot listen: the port is taken') },
  bug: () => { throw new RangeError('out of range') },
  hang: async () => await new Promise(() => {}),
  exit: () => {
    process.stderr.write('these are my last words\n')
    process.exit(7)
  },
  throwLater: async () => await new Promise(() => { setImmediate(() => { throw new Error('nobody caught me') }) })
}

serveRole<'load'>(async (options) => {
  const { oddity } = options as { oddity?: Oddity }
  await actions[oddity ?? '']?.()
  return {
    ready: { engine: `odd in ${process.pid}`, note: null },
    measure: async (job) => (await actions[job.path]?.() ?? job) as LoadResult,
    close: async () => {
      if (oddity === 'linger') setInterval(() => {}, 1000)
      if (oddity === 'mute') await new Promise(() => { setInterval(() => {}, 1000) })
    }
  }
})
