import { readdirSync } from 'node:fs'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { contentBytes, PERIOD_BYTES } from '../base/content.js'
import { type Random, seededRandom } from '../base/random.js'
import { portOf, until } from './testing/rig.js'
import { Role } from './testing/role.js'
import { startTcpOrigin } from './testing/tcp.js'
import { testEach } from './testing/test-each.js'
import { byEffort } from '../base/testing/effort.js'

const POINTS = byEffort({ quick: 3, full: 10, slow: 100 })
const CLIENTS = 8
const options = { over: process.platform === 'linux' ? ['memfd'] as const : [], register: test.serial }

const period = Buffer.from(contentBytes(2 * PERIOD_BYTES))

/** Sends the content over and over and reads all it gets, so every connection is amid a transfer in both directions. */
async function startBusyOrigin (t: ExecutionContext): Promise<string> {
  const origin = await startTcpOrigin(t, ({ socket }) => {
    socket.removeAllListeners('data')
    socket.resume()
    const send = () => { while (!socket.destroyed && socket.write(period)); }
    socket.on('drain', send)
    send()
  })
  return String(portOf(origin.address))
}

/**
 * Clients of the busy origin. Each connects again as long as it was never served, so they may come before there is a
 * tunnel.
 */
class Load {
  receivedBytes = 0
  problem: string | null = null
  readonly #port: number
  readonly #sockets = new Set<net.Socket>()
  #over = false

  constructor (t: ExecutionContext, port: number) {
    this.#port = port
    t.teardown(() => { this.end() })
    for (let i = 0; i < CLIENTS; i++) this.#connect()
  }

  /** No client is connected any more. */
  async untilCut (): Promise<void> {
    this.#over = true
    await until(() => this.#sockets.size === 0)
  }

  end (): void {
    this.#over = true
    for (const socket of this.#sockets) socket.destroy()
  }

  #connect (): void {
    const socket = net.connect({ host: '127.0.0.1', port: this.#port })
    this.#sockets.add(socket)
    let offset = 0
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      this.receivedBytes += chunk.length
      for (let done = 0; done < chunk.length;) {
        const from = (offset + done) % PERIOD_BYTES
        const bytes = Math.min(chunk.length - done, period.length - from)
        if (period.compare(chunk, done, done + bytes, from, from + bytes) !== 0) {
          this.problem = `foreign bytes near ${offset + done}`
        }
        done += bytes
      }
      offset += chunk.length
    })
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (!this.#over && offset === 0) this.#connect()
    })
    const upload = () => { while (!socket.destroyed && socket.write(period)); }
    socket.on('drain', upload)
    socket.on('connect', upload)
  }
}

/**
 * Every other victim is killed at some time after its start, the others when the clients have got some number of bytes.
 */
async function killAtSomePoint (
  random: Random,
  point: number,
  victim: Role,
  startLoad: () => Promise<Load | null>
): Promise<Load | null> {
  const loading = victim.up().then(startLoad)
  if (point % 2 === 0) {
    await new Promise((resolve) => {
      setTimeout(resolve, random() * 400)
    })
    await victim.kill()
    // Where it was killed before it was up, there never is any.
    return Promise.race([loading, null])
  }
  const load = await loading
  const bytes = 10 ** (7.5 * random())
  await until(() => load!.receivedBytes >= bytes)
  await victim.kill()
  return load
}

for (const victimRole of ['plugin', 'host'] as const) {
  testEach(
    `${POINTS} ${victimRole}s killed at any point: the survivor ends clean, comes to rest, and serves with the next`,
    async (t, rig, transport) => {
      const originPort = await startBusyOrigin(t)
      const start = (role: 'host' | 'plugin', ...more: string[]): Role =>
        role === 'host'
          ? new Role(t, transport, role, rig.path)
          : new Role(t, transport, role, rig.path, originPort, ...more)
      const survivor = await start(victimRole === 'plugin' ? 'host' : 'plugin', 'unattached').up()
      const startVictim = (): Role => start(victimRole)
      const loadTo = (victim: Role) => async (): Promise<Load | null> => {
        if (victimRole === 'host') await survivor.until(({ segments }) => segments === 1 || victim.killed)
        return victim.killed ? null : new Load(t, victimRole === 'host' ? victim.port : survivor.port)
      }
      const random = seededRandom(200)

      // Twice to the end, for the first time leaves what is there for good (caches, pools of the runtime).
      for (let i = 0; i < 2; i++) await runPoint(1)
      const { openFiles } = await survivor.until(isClean)
      for (let point = 0; point < POINTS; point++) {
        await runPoint(point)
        await survivor.until((state) => isClean(state) && state.openFiles <= openFiles)
        t.true(
          await survivor.comesToRest(),
          `the survivor of point ${point} uses the CPU although there is nothing to do`
        )
      }
      t.is((await survivor.state()).doorbellsMissed, 0)

      async function runPoint (point: number): Promise<void> {
        const victim = startVictim()
        const load = await killAtSomePoint(random, point, victim, loadTo(victim))
        await load?.untilCut()
        t.is(load?.problem ?? null, null)
      }
    },
    options
  )
}

function isClean ({
  sockets,
  channels,
  openChannels,
  segments
}: {
  sockets: number
  channels: number
  openChannels: number
  segments: number
}): boolean {
  return sockets === 0 && channels === 0 && openChannels === 0 && segments === 0
}

testEach(
  'after kill -9 of both nothing is left but a dead socket, and the next two take its place',
  async (t, rig, transport) => {
    const originPort = await startBusyOrigin(t)
    const memoryBefore = readdirSync('/dev/shm')
    for (let round = 0; round < 3; round++) {
      const host = await new Role(t, transport, 'host', rig.path).up()
      const plugin = await new Role(t, transport, 'plugin', rig.path, originPort).up()
      const load = new Load(t, host.port)
      await until(() => load.receivedBytes > 1_000_000)
      t.is((await host.state()).segments, 1)
      await Promise.all([host.kill(), plugin.kill()])
      await load.untilCut()
      t.is(load.problem, null)
      t.deepEqual(readdirSync(rig.directory), ['t.sock'])
      t.deepEqual(
        readdirSync('/dev/shm').filter((name) => !memoryBefore.includes(name)),
        []
      )
    }
  },
  options
)
