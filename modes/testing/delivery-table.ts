import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { tcpAddress } from '../../src/base/address.js'
import { createEngine } from '../../src/engine/create-engine.js'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import { Relay } from '../../src/relay/relay.js'
import { Party, type Step, turn, until } from '../../src/tunnel/testing/party.js'
import { BROKEN, NOTHING_NOW, RawListener, RawSocket } from '../../src/tunnel/testing/raw-tcp.js'
import { Role, type RoleTransport } from '../../src/tunnel/testing/role.js'
import { connectAs, ScriptedOrigin } from '../../src/tunnel/testing/scripted-origin.js'
import { BETWEEN_PROCESSES } from '../../src/tunnel/testing/transports.js'

/**
 * How many answers arrive of an origin that resets or closes right behind them: directly, and through what is between.
 * Prints a table. Arguments: tries of each cell, default 60, and the only row, default all. What is not there (curl,
 * haproxy) is left out.
 */
const TRIES = Number(process.argv[2] ?? 60)
const ROW = process.argv[3]
const EARLY_UPLOAD_BYTES = 8_000_000
const NODE_UPLOAD_BYTES = 3_000_000
const ANSWER = 'HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo long'

const cleanUps: Array<() => unknown> = []
const t = { teardown: (task) => { cleanUps.push(task) } } as Pick<ExecutionContext, 'teardown'> as ExecutionContext
const folder = mkdtempSync(join(tmpdir(), 'delivery-'))
t.teardown(() => { rmSync(folder, { recursive: true }) })

/** Returns whether an answer arrived whole. */
type Try = (port: number, nth: number) => Promise<boolean>

interface Case {
  readonly title: string
  readonly originPort: number
  readonly attempt: Try
}

// --- `rst`: answers whole, then resets

const MOMENTS: readonly Step[][] = [[], [['pause', 1]], [['pause', 5]], [['taken']]]

function rstCase (title: string, sizesBytes: readonly number[]): Case {
  const origin = new ScriptedOrigin(t)
  let id = 0
  const attempt: Try = async (port, nth) => {
    id++
    const bytes = sizesBytes[nth % sizesBytes.length]!
    const moment = MOMENTS[Math.floor(nth / sizesBytes.length) % MOMENTS.length]!
    const accepting = origin.accept(id)
    const [clientSocket, originSocket] = await Promise.all([connectAs(id, port), accepting])
    try {
      if (originSocket === undefined) return false
      const client = new Party('client', clientSocket, new Set(), id)
      await Promise.all([
        client.run([['send', 100], ['readEnd', 65_536]]),
        new Party('origin', originSocket, new Set(), id).run([['read', 100], ['send', bytes], ...moment, ['reset']])
      ])
      return client.reception({ sentBytes: bytes, promisedBytes: bytes }).lost === 0
    } finally {
      clientSocket.close()
      originSocket?.close()
    }
  }
  return { title, originPort: origin.port, attempt }
}

// --- `early`: reads a head, answers, closes with the body unread

function startEarlyOrigin (): number {
  const listener = new RawListener(t)
  const stop = new AbortController()
  t.teardown(() => { stop.abort() })
  const answer = async (socket: RawSocket): Promise<void> => {
    let head = ''
    await until(() => {
      const bytes = socket.read(256)
      if (typeof bytes !== 'number') head += Buffer.from(bytes).toString('latin1')
      return head.includes('\r\n\r\n') || bytes === BROKEN
    })
    socket.send(Buffer.from(ANSWER))
    socket.close()
  }
  void (async () => {
    for (let looks = 0; !stop.signal.aborted; looks++) {
      const socket = listener.tryAccept()
      if (socket !== null) void answer(socket)
      await turn(looks)
    }
  })()
  return listener.port
}

async function startNodeOrigin (): Promise<number> {
  const server = http.createServer((req, res) => {
    res.writeHead(413, { Connection: 'close' })
    res.end('too long')
    req.destroy()
  })
  t.teardown(() => { server.closeAllConnections(); server.close() })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return (server.address() as AddressInfo).port
}

/** Sends until that fails or all is sent, then reads. */
const uploadRaw = (bytes: number): Try => async (port) => {
  const socket = RawSocket.connect(port)
  try {
    await until(() => socket.isConnected)
    const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`
    const request = Buffer.concat([Buffer.from(head), Buffer.alloc(bytes)])
    let sent = 0
    await until(() => {
      const taken = socket.send(request.subarray(sent))
      if (taken > 0) sent += taken
      return taken === BROKEN || sent === request.length
    })
    let text = ''
    await until(() => {
      const read = socket.read(65_536)
      if (typeof read !== 'number') text += Buffer.from(read).toString('latin1')
      return read === BROKEN || (read !== NOTHING_NOW && read.length === 0)
    })
    return text.startsWith('HTTP/1.1 413')
  } finally {
    socket.close()
  }
}

const uploadCurl = (bytes: number): Try => {
  const file = join(folder, `upload-${bytes}`)
  writeFileSync(file, Buffer.alloc(bytes))
  return async (port) => {
    const output = ['--silent', '--output', '/dev/null', '--write-out', '%{http_code}']
    const input = ['--noproxy', '*', '--header', 'Expect:', '--data-binary', `@${file}`]
    const args = [...output, ...input, `http://127.0.0.1:${port}/`]
    return await new Promise((resolve) => { execFile('curl', args, (_error, stdout) => { resolve(stdout === '413') }) })
  }
}

async function isInstalled (program: string, option: string): Promise<boolean> {
  return await new Promise((resolve) => { execFile(program, [option], (error) => { resolve(error === null) }) })
}

// --- What is between

type Path = (originPort: number) => Promise<number>

const overRelays: Path = async (originPort) => {
  let target = tcpAddress('127.0.0.1', originPort)
  for (let hops = 0; hops < 2; hops++) {
    const relay = await Relay.start({ engine: createEngine('auto'), listen: tcpAddress('127.0.0.1', 0), target })
    t.teardown(() => relay.close({ drainMs: 0 }))
    target = relay.address as typeof target
  }
  return target.kind === 'tcp' ? target.port : 0
}

/** So many haproxies, one behind the other. */
const overHaproxy = (hops: number): Path => async (originPort) => {
  let target = originPort
  for (let hop = 0; hop < hops; hop++) target = await startHaproxy(target)
  return target
}

const startHaproxy: Path = async (originPort) => {
  const placeholder = new RawListener({ teardown () {} })
  const { port } = placeholder
  placeholder.close()
  const config = join(folder, `haproxy-${port}.cfg`)
  const limits = 'timeout connect 5s\n timeout client 1m\n timeout server 1m'
  const ends = `bind 127.0.0.1:${port}\n server one 127.0.0.1:${originPort}`
  writeFileSync(config, `global\n nbthread 1\ndefaults\n mode tcp\n ${limits}\nlisten all\n ${ends}\n`)
  const child = spawn('haproxy', ['-f', config], { stdio: 'ignore' })
  t.teardown(() => { child.kill('SIGKILL') })
  await until(() => {
    const socket = RawSocket.connect(port)
    const { isConnected } = socket
    socket.close()
    return isConnected
  })
  return port
}

let tunnels = 0
const overTunnel = (over: RoleTransport): Path => async (originPort) => {
  const path = join(folder, `${++tunnels}.sock`)
  const host = await new Role(t, over, 'host', path).up()
  await new Role(t, over, 'plugin', path, String(originPort)).up()
  return host.port
}

const hasCurl = await isInstalled('curl', '--version')
const early = startEarlyOrigin()
const node = await startNodeOrigin()
const cases: readonly Case[] = [
  rstCase('rst, 2 bytes to 100 kB', [2, 2000, 20_000, 100_000]),
  rstCase('rst, 2 MB', [2_000_000]),
  ...[uploadRaw, ...hasCurl ? [uploadCurl] : []].flatMap((upload, i) => [
    { title: `early, ${['raw', 'curl'][i]}`, originPort: early, attempt: upload(EARLY_UPLOAD_BYTES) },
    { title: `node:http, ${['raw', 'curl'][i]}`, originPort: node, attempt: upload(NODE_UPLOAD_BYTES) }
  ])
]
const paths: ReadonlyArray<readonly [string, Path]> = [
  ['direct', async (port) => port],
  ['relay2', overRelays],
  ...((await isInstalled('haproxy', '-v'))
    ? [['haproxy', overHaproxy(1)] as const, ['haproxy2', overHaproxy(2)] as const]
    : []),
  ...ENGINES_HERE.flatMap((engine) =>
    BETWEEN_PROCESSES.map((transport) => {
      const name = `${transport === 'memfd' ? 'shm' : transport}/${engine}`
      return [name, overTunnel(`${transport}/${engine}`)] as const
    })
  )
]

/** What is between is stopped after its cell. */
const lasting = cleanUps.length
console.log(`answers that arrived whole, of ${TRIES}`)
console.log(`| | ${cases.map(({ title }) => title).join(' | ')} |`)
console.log(`|---|${cases.map(() => '---|').join('')}`)
for (const [name, path] of paths) {
  if (ROW !== undefined && name !== ROW) continue
  const row: number[] = []
  for (const { originPort, attempt } of cases) {
    const port = await path(originPort)
    let whole = 0
    for (let nth = 0; nth < TRIES; nth++) if (await attempt(port, nth)) whole++
    row.push(whole)
    for (const cleanUp of cleanUps.splice(lasting)) await cleanUp()
  }
  console.log(`| ${name} | ${row.join(' | ')} |`)
}
for (const cleanUp of cleanUps.reverse()) await cleanUp()
