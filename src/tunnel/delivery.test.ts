import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { tcpAddress } from '../base/address.js'
import { createEngine } from '../engine/create-engine.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import type { SegmentSizes } from '../shm/segment-sizes.js'
import { Relay } from '../relay/relay.js'
import { deliveries } from './testing/deliveries.js'
import { HAS_RAW_TCP } from './testing/raw-tcp.js'
import { portOf, TunnelRig, until } from './testing/rig.js'
import { ScriptedOrigin } from './testing/scripted-origin.js'
import { createTransport, WITHIN_A_PROCESS } from './testing/transports.js'

const rawTest = HAS_RAW_TCP ? test.serial : test.serial.skip

/** Scripts that are played at one time. */
const AT_ONE_TIME = 24

/** More than the kernel's buffers and the tunnel's windows hold while nobody reads. */
const LARGE_BYTES = 2_100_000

interface Size {
  readonly name: string
  readonly largeBytes: number
  readonly limits: { readonly windowBytes?: number }
  readonly memory: Partial<SegmentSizes>
}

const SIZES: readonly Size[] = [
  { name: 'default sizes', largeBytes: LARGE_BYTES, limits: {}, memory: {} },
  // Out of credit with every frame, and out of slots with every other connection.
  {
    name: 'small window and pool',
    largeBytes: 300_000,
    limits: { windowBytes: 4096 },
    memory: { slots: 16, slotBytes: 1024 }
  }
]

/** Plays all scripts, a few at one time. Returns those that came out differently. */
async function playAll (origin: ScriptedOrigin, port: number, largeBytes = LARGE_BYTES): Promise<unknown[]> {
  const rest = deliveries(largeBytes)
  const different: unknown[] = []
  await Promise.all(Array.from({ length: AT_ONE_TIME }, async () => {
    for (let delivery = rest.shift(); delivery !== undefined; delivery = rest.shift()) {
      const { title, script, ends } = delivery
      const { client, origin: server } = await origin.play(script, port)
      const expected = ends.map((end) => ({ lost: 0, isIntact: true, end }))
      if (!isDeepStrictEqual([client, server], expected)) different.push({ title, ends, client, origin: server })
    }
  }))
  return different
}

rawTest('direct connections deliver what every script promises', async (t) => {
  const origin = new ScriptedOrigin(t)
  t.deepEqual(await playAll(origin, origin.port), [])
})

for (const engine of ENGINES_HERE) {
  rawTest(`what direct connections deliver is delivered, with the same end (relay, ${engine})`, async (t) => {
    const origin = new ScriptedOrigin(t)
    const target = tcpAddress('127.0.0.1', origin.port)
    const relay = await Relay.start({ engine: createEngine(engine), listen: tcpAddress('127.0.0.1', 0), target })
    t.teardown(() => relay.close({ drainMs: 0 }))
    t.deepEqual(await playAll(origin, portOf(relay.address)), [])
    await until(() => relay.sockets === 0)
  })

  for (const transport of WITHIN_A_PROCESS) {
    for (const size of SIZES) {
      const over = `${transport}, ${engine} engine, ${size.name}`
      rawTest(`what direct connections deliver is delivered, with the same end (${over})`, async (t) => {
        const origin = new ScriptedOrigin(t)
        const rig = new TunnelRig(t, createTransport(transport, { sizes: size.memory }), () => createEngine(engine))
        const { port } = await rig.start(tcpAddress('127.0.0.1', origin.port), size.limits)
        t.deepEqual(await playAll(origin, port, size.largeBytes), [])
        await rig.verify()
      })
    }
  }
}
