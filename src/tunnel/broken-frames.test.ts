import { ErrorCode } from '../base/errors.js'
import { createEngine } from '../engine/create-engine.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import { FrameType, Reason } from '../frame/layout.js'
import { ShmSide } from '../shm/endpoint.js'
import { RawPlugin } from './testing/raw-plugin.js'
import { until } from './testing/rig.js'
import { connect } from './testing/tcp.js'
import { type EachOptions, testEach } from './testing/test-each.js'

type Move = (plugin: RawPlugin) => void

const MOVES: Array<[what: string, move: Move, rule: RegExp, options?: EachOptions]> = [
  [
    'a frame of unknown type',
    (plugin) => {
      plugin.sendHeader(11, 1, 0)
    },
    /type must be 1 to 10: it is 11/
  ],
  [
    'DATA on the control channel',
    (plugin) => {
      plugin.sendHeader(FrameType.DATA, 0, 1)
    },
    /DATA must name a channel/
  ],
  [
    'undefined flags',
    (plugin) => {
      plugin.sendHeader(FrameType.DATA, plugin.channelId, 1, 4)
    },
    /flags of DATA must be defined ones/
  ],
  [
    'a payload above what was agreed',
    (plugin) => {
      plugin.sendHeader(FrameType.DATA, plugin.channelId, 65_537)
    },
    /payload of DATA must be at most 65536/
  ],
  [
    'empty DATA',
    (plugin) => {
      plugin.sendHeader(FrameType.DATA, plugin.channelId, 0)
    },
    /must carry a payload/
  ],
  [
    "a frame of a good form that is the host's",
    (plugin) => {
      plugin.send(FrameType.OPEN, 7)
    },
    /must not send OPEN/
  ],
  [
    'a slot that does not exist',
    (plugin) => {
      plugin.sendHeader(FrameType.DATA, plugin.channelId, 100, 0, 70_000)
    },
    /a slot must be from 0 to/,
    { over: ['shared-array-buffer'] }
  ],
  [
    'a bell that is none',
    (plugin) => {
      plugin.inject(Uint8Array.of(7))
    },
    /a doorbell must be the byte 1/,
    { over: ['shared-array-buffer'] }
  ],
  [
    'a write position that cannot be',
    (plugin) => {
      const { buffer, layout } = plugin.segment
      Atomics.store(new Int32Array(buffer), layout.directions[ShmSide.PLUGIN].writePosition >> 2, -5)
      plugin.inject(Uint8Array.of(1))
    },
    /write position must be/,
    { over: ['shared-array-buffer'] }
  ],
  [
    'slots given back that were never sent',
    (plugin) => {
      const { buffer, layout } = plugin.segment
      Atomics.store(new Int32Array(buffer), layout.directions[ShmSide.HOST].returnPosition >> 2, 1)
      plugin.inject(Uint8Array.of(1))
    },
    /it gives back 0/,
    { over: ['shared-array-buffer'] }
  ]
]

for (const engineName of ENGINES_HERE) {
  for (const [what, move, rule, options] of MOVES) {
    testEach(
      `a plugin that sends ${what} is answered with GOAWAY(protocol) and the rule (${engineName})`,
      async (t, rig, name) => {
        const { events, port } = await rig.startHost({ engine: createEngine(engineName) })
        const plugin = new RawPlugin(createEngine(engineName), rig.tunnel, name)
        await plugin.attached()
        await events.until('attached')
        const client = connect(t, port)
        await until(() => plugin.channelId !== 0)
        move(plugin)
        const { error } = await events.until('detached')
        t.is(error?.code, ErrorCode.PROTOCOL)
        t.regex(error!.message, rule)
        t.is(await client.untilClose(), 'ECONNRESET')
        await until(() => plugin.goAway !== null)
        t.is(plugin.goAway!.reason, Reason.PROTOCOL)
        t.regex(plugin.goAway!.text, rule)
        plugin.transport.close()
        await until(() => plugin.closed)
        await rig.verify()
      },
      options
    )
  }
}
