import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { tcpAddress } from '../base/address.js'
import { ErrorCode } from '../base/errors.js'
import { createEngine } from '../engine/create-engine.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import { encodeHeader } from '../frame/header.js'
import { FrameType, HEADER_BYTES, Reason } from '../frame/layout.js'
import { encodeHello, Role } from '../mux/hello.js'
import { encodeTicket } from '../shm/segment-messages.js'
import { DEFAULT_SEGMENT_SIZES, layOut } from '../shm/segment-sizes.js'
import { type TunnelRig, until } from './testing/rig.js'
import { connect, startTcpOrigin } from './testing/tcp.js'
import { type EachOptions, testEach } from './testing/test-each.js'
import { type TransportName } from './testing/transports.js'

const { totalBytes } = layOut(DEFAULT_SEGMENT_SIZES)
/** Segments that cost little to make, and time enough for a machine that is busy. */
const QUICK = {
  memory: { sizes: { slotBytes: 1024, slots: 16, ringEntries: 64, inlineBytes: 512, constantBytes: 4096 } },
  register: test.serial
}
const LIMITS = { helloTimeoutMs: 60_000 }
const ONLY_MEMFD: EachOptions = { ...QUICK, over: process.platform === 'linux' ? ['memfd'] : [] }
const BOTH: EachOptions = { ...QUICK, over: process.platform === 'linux' ? ['stream', 'memfd'] : ['stream'] }
/** So often a plugin must have tried again to be believed that it goes on. */
const ATTEMPTS = 3
/** Beyond what Linux gives out. */
const NO_PROCESS = 0x7FFF_FFFF
const NONCE_OFFSET = HEADER_BYTES + 20 + 8

function frame (type: FrameType, payload: Uint8Array, argument = 0): Buffer {
  const header = new Uint8Array(HEADER_BYTES)
  encodeHeader(header, 0, { type, channelId: 0, payloadBytes: payload.length, flags: 0, argument })
  return Buffer.concat([header, payload])
}

/** The HELLO of a host. Over shared memory it ends with a ticket for descriptor `fd` of process `pid`. */
function hostHello (name: TransportName, request: Buffer, { fd = 0, pid = process.pid } = {}): Buffer {
  const attachment = name === 'stream'
    ? new Uint8Array(0)
    : encodeTicket('memfd', request.subarray(NONCE_OFFSET, NONCE_OFFSET + 16), { fd, totalBytes })
  if (name !== 'stream') new DataView(attachment.buffer).setUint32(4, pid, true)
  const limits = { role: Role.HOST, maxPayloadBytes: 65_536, windowBytes: 65_536, maxChannels: 8 }
  return frame(FrameType.HELLO, encodeHello({ ...limits, transport: name === 'stream' ? 'stream' : 'shm', attachment }))
}

type Answer = (socket: net.Socket, hello: Buffer, name: TransportName, file: number) => void

const PASSING: Array<[what: string, answer: Answer, code: ErrorCode, options: EachOptions]> = [
  [
    'whose process is gone',
    (socket, hello, name) => {
      socket.write(hostHello(name, hello, { pid: NO_PROCESS }))
    },
    ErrorCode.PEER_CLOSED,
    ONLY_MEMFD
  ],
  [
    'whose descriptor is closed',
    (socket, hello, name) => {
      socket.write(hostHello(name, hello, { fd: 999_999 }))
    },
    ErrorCode.PEER_CLOSED,
    ONLY_MEMFD
  ],
  [
    'whose descriptor is something else by now',
    (socket, hello, name, fd) => {
      socket.write(hostHello(name, hello, { fd }))
    },
    ErrorCode.PEER_CLOSED,
    ONLY_MEMFD
  ],
  [
    'that dies inside its HELLO',
    (socket, hello, name) => {
      socket.end(hostHello(name, hello).subarray(0, 30))
    },
    ErrorCode.PEER_CLOSED,
    BOTH
  ],
  [
    'that dies inside a header',
    (socket, hello, name) => {
      socket.end(hostHello(name, hello).subarray(0, 5))
    },
    ErrorCode.PEER_CLOSED,
    BOTH
  ],
  [
    'that dies before its HELLO',
    (socket) => {
      socket.end()
    },
    ErrorCode.PEER_CLOSED,
    BOTH
  ],
  [
    'that is out of memory',
    (socket) => {
      socket.end(frame(FrameType.GOAWAY, Buffer.from('memory is full'), Reason.LIMIT))
    },
    ErrorCode.LIMIT,
    BOTH
  ]
]

for (const engineName of ENGINES_HERE) {
  for (const [what, answer, code, options] of PASSING) {
    testEach(
      `a plugin tries again after a host ${what}, says so once, and serves the next host (${engineName})`,
      async (t, rig, name) => {
        const origin = await startTcpOrigin(t, ({ socket }) => {
          socket.pipe(socket)
        })
        const file = openSync('/dev/null', 'r+')
        t.teardown(() => {
          closeSync(file)
        })
        let attempts = 0
        const server = net.createServer({ allowHalfOpen: true }, (socket) => {
          socket.on('error', () => {})
          socket.once('data', (hello) => {
            attempts++
            answer(socket, hello, name, file)
          })
          socket.on('end', () => {
            socket.end()
          })
        })
        t.teardown(() => {
          server.close()
        })
        await once(server.listen(rig.path), 'listening')
        const { plugin, events } = rig.startPlugin(origin.address, {
          engine: createEngine(engineName),
          limits: LIMITS,
          onFatal: (error) => {
            t.fail(error.message)
          }
        })
        await until(() => attempts >= ATTEMPTS)
        t.is(events.all.filter((event) => event.kind === 'waiting' && event.error.code === code).length, 1)
        t.false(events.all.some(({ kind }) => kind === 'attached' || kind === 'refused'))
        await new Promise((resolve) => {
          server.close(resolve)
        })
        const { port } = await rig.startHost({ limits: LIMITS })
        await plugin.attached()
        await assertServes(t, port)
        await rig.verify()
      },
      options
    )
  }

  testEach(
    `a host that may not make the memory tells the plugin so, and lives on (${engineName})`,
    async (t, rig, name) => {
      const host = await startLimitedHost(t, rig, name, engineName)
      const { plugin, events } = rig.startPlugin(tcpAddress('127.0.0.1', 1), {
        engine: createEngine(engineName),
        onFatal: (error) => {
          t.fail(error.message)
        }
      })
      const { error } = await events.until('waiting')
      t.is(error.code, ErrorCode.LIMIT)
      t.regex(
        error.message,
        /Cannot offer shared memory: its \d+ bytes are more than a file of this process may have \(EFBIG\): raise that limit/
      )
      t.is(host.child.exitCode, null)
      // It answers, and has nothing left of the attempts.
      await until(() => plugin.stats().counters.channelsOpened === 0)
      const state = await host.state()
      t.is(state.segments, 0)
    },
    ONLY_MEMFD
  )
}

async function assertServes (t: ExecutionContext, port: number): Promise<void> {
  const client = connect(t, port)
  client.socket.end('hello')
  await client.untilEnd()
  t.is(client.text, 'hello')
}

/** A host whose files, also those in memory, may have 1 MiB at most: less than a segment. */
async function startLimitedHost (t: ExecutionContext, rig: TunnelRig, name: TransportName, engine: string) {
  const program = fileURLToPath(new URL('./testing/role-process.js', import.meta.url))
  const child = spawn(
    '/bin/bash',
    ['-c', 'ulimit -f 1024; exec "$0" "$@"', process.execPath, program, name, 'host', rig.path],
    {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, TEST_ENGINE: engine }
    }
  )
  t.teardown(() => { child.kill('SIGKILL') })
  await once(child, 'message')
  return {
    child,
    state: async (): Promise<{ segments: number }> => {
      const answer = once(child, 'message')
      child.send({})
      return (await answer as [{ state: { segments: number } }])[0].state
    }
  }
}
