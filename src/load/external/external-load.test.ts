import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
      await t.throwsAsync(runExternalLoad(name, jobFor(TARGET, change), new AbortController().signal), {
        code: ErrorCode.INTERNAL,
        message: /only closed loops over TCP, without stalled readers/
      })
    })
  }
}

for (const name of EXTERNAL_GENERATORS) {
  test.serial(`runExternalLoad() gives ${name} a URL with an IPv6 address in it`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'external-'))
    t.teardown(() => { rmSync(folder, { recursive: true }) })
    writeFileSync(join(folder, name), '#!/bin/sh\nfor last; do :; done\necho "$last" >&2\nexit 1\n', { mode: 0o755 })
    const { PATH } = process.env
    t.teardown(() => { process.env.PATH = PATH })
    process.env.PATH = `${folder}:${PATH}`
    const running = runExternalLoad(name, jobFor(tcpAddress('::1', 8080)), new AbortController().signal)
    await t.throwsAsync(running,
      { message: `Cannot measure with ${name}: it exited with code 1: http://[::1]:8080/small` })
  })
}
