import test from 'ava'
import { tcpAddress, unixAddress } from '../../base/address.js'
import { ErrorCode } from '../../base/errors.js'
import type { LoadJob } from '../job.js'
import { jobFor } from '../testing/load-rig.js'
import { runExternalLoad } from './external-load.js'
import { EXTERNAL_GENERATORS } from './program.js'

const TARGET = tcpAddress('127.0.0.1', 1)

for (const [what, change] of [
  ['an open loop', { pace: { kind: 'open', ratePerSec: 10, arrivals: 'constant', seed: 1, maxConnections: 1 } }],
  ['a Unix socket', { target: unixAddress('/nowhere/s') }],
  ['stalled readers', { stalledReaders: 1 }]
] as const satisfies ReadonlyArray<readonly [string, Partial<LoadJob>]>) {
  for (const name of EXTERNAL_GENERATORS) {
    test(`runExternalLoad() starts no ${name} for ${what}, which it cannot do`, async (t) => {
      await t.throwsAsync(runExternalLoad(name, jobFor(TARGET, change), new AbortController().signal), { code: ErrorCode.INTERNAL, message: /only closed loops over TCP, without stalled readers/ })
    })
  }
}
