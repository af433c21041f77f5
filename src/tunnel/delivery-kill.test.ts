import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { tcpAddress } from '../base/address.js'
import { createEngine } from '../engine/create-engine.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import type { Part } from './testing/origin-process.js'
import { Party, type Reception, type Step } from './testing/party.js'
import { HAS_RAW_TCP } from './testing/raw-tcp.js'
import { TunnelRig } from './testing/rig.js'
import { Role } from './testing/role.js'
import { connectAs, ScriptedOrigin } from './testing/scripted-origin.js'
import { BETWEEN_PROCESSES, createTransport, WITHIN_A_PROCESS } from './testing/transports.js'

const rawTest = HAS_RAW_TCP ? test : test.skip

const READ: Step = ['readEnd', 65_536]
const READ_LATE: readonly Step[] = [['hear', 'killed'], READ]

interface Answer {
  readonly bytes: number
  readonly origin: readonly Step[]
  readonly client: readonly Step[]
  readonly end: Reception['end']
}

const ENDS: ReadonlyArray<Pick<Answer, 'end'> & { readonly before: Step, readonly after: readonly Step[] }> = [
  { end: 'fin', before: ['read', 100], after: [] },
  // The kernel of a killed origin resets what has bytes unread, and drops what the other kernel has not taken.
  { end: 'rst', before: ['unread'], after: [['taken']] }
]

/** What the origin answers before it is killed, to clients that read at once and to others that do so later. */
const ANSWERS: readonly Answer[] = ENDS.flatMap(({ end, before, after }) => {
  const answer = (bytes: number, client: readonly Step[]): Answer =>
    ({ bytes, origin: [before, ['send', bytes], ...after], client, end })
  return [answer(10, [READ]), answer(2_500_000, [READ]), answer(10, READ_LATE), answer(60_000, READ_LATE)]
})

/** The largest is more than the buffer of a client that does not read; all fit into the socket of the link. */
const ANSWERS_BYTES = [10, 5000, 100_000]
const BUFFER_BYTES = 4096

async function startOriginProcess (t: ExecutionContext): Promise<{ child: ChildProcess, port: number }> {
  const program = new URL('./testing/origin-process.js', import.meta.url)
  const child = fork(program, [], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  t.teardown(() => { child.kill('SIGKILL') })
  const [{ port }] = await once(child, 'message') as [{ port: number }]
  return { child, port }
}

/** Plays all answers over `port`, kills the origin when it has given them, and returns what reached the clients. */
async function receptionsOf (child: ChildProcess, port: number): Promise<Reception[]> {
  const said = new Set<string>()
  const given = new Set<number>()
  child.on('message', ({ played }: { played: number }) => {
    given.add(played)
    if (given.size < ANSWERS.length) return
    child.kill('SIGKILL')
    child.once('exit', () => { said.add('killed') })
  })
  return await Promise.all(ANSWERS.map(async ({ bytes, origin, client }, i) => {
    const id = i + 1
    child.send({ id, steps: origin } satisfies Part)
    const socket = await connectAs(id, port)
    try {
      const party = new Party('client', socket, said, id)
      await party.run([['send', 100], ...client])
      return party.reception({ sentBytes: bytes, promisedBytes: bytes })
    } finally {
      socket.close()
    }
  }))
}

const EXPECTED = ANSWERS.map(({ end }) => ({ lost: 0, isIntact: true, end }))

rawTest('an origin that is killed has given its answers, directly', async (t) => {
  const { child, port } = await startOriginProcess(t)
  t.deepEqual(await receptionsOf(child, port), EXPECTED)
})

for (const engine of ENGINES_HERE) {
  for (const transport of WITHIN_A_PROCESS) {
    rawTest(`an origin that is killed has given its answers (${transport}, ${engine} engine)`, async (t) => {
      const origin = await startOriginProcess(t)
      const rig = new TunnelRig(t, createTransport(transport), () => createEngine(engine))
      const { port } = await rig.start(tcpAddress('127.0.0.1', origin.port))
      t.deepEqual(await receptionsOf(origin.child, port), EXPECTED)
      await rig.verify()
    })
  }

  for (const transport of BETWEEN_PROCESSES) {
    const over = `${transport}/${engine}` as const
    rawTest(`what a plugin had sent when it was killed is delivered, then comes a reset (${over})`, async (t) => {
      const rig = new TunnelRig(t)
      const origin = new ScriptedOrigin(t)
      const host = await new Role(t, over, 'host', rig.path).up()
      const plugin = await new Role(t, over, 'plugin', rig.path, String(origin.port)).up()
      let id = 0
      const answers = ANSWERS_BYTES.map(async (bytes) => {
        // Kept open, so that it is the killed plugin that ends it.
        const accepting = origin.accept(++id)
        const said = new Set<string>()
        const client = new Party('client', await connectAs(id, host.port, BUFFER_BYTES), said, id)
        const socket = (await accepting)!
        t.teardown(() => { socket.close() })
        return { bytes, client, said, origin: new Party('origin', socket, said, id) }
      })
      const connections = await Promise.all(answers)
      host.child.kill('SIGSTOP')
      await Promise.all(connections.map(({ bytes, origin }) => origin.run([['send', bytes]])))
      const totalBytes = ANSWERS_BYTES.reduce((sum, bytes) => sum + bytes)
      await plugin.until(({ payloadBytesSent }) => payloadBytesSent === totalBytes)
      await plugin.kill()
      host.child.kill('SIGCONT')
      await host.until(({ channels }) => channels === 0)
      const receptions = await Promise.all(connections.map(async ({ bytes, client }) => {
        await client.run([READ])
        return client.reception({ sentBytes: bytes, promisedBytes: bytes })
      }))
      t.deepEqual(receptions, connections.map(() => ({ lost: 0, isIntact: true, end: 'rst' })))
    })
  }
}
