import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { contentBytes } from '../../src/base/content.js'
import { seededRandom } from '../../src/base/random.js'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import { get } from '../testing/client.js'
import type { Program } from '../testing/program.js'
import { startTunnel } from '../testing/services.js'
import { until } from '../testing/wait.js'
import { byEffort } from '../../src/base/testing/effort.js'

/** For each engine and transport: ten minutes in all at full length, where there are two engines. */
const SECONDS = byEffort({ quick: 1, full: 2, slow: 150 })
const CLIENTS_AT_ONE_TIME = 3
const MAX_CONNECTIONS = 64
const SLOTS = 64

const TRANSPORTS = process.platform === 'linux' ? ['stream', 'shm'] as const : ['stream'] as const

/** A busy client that is killed at some time, before it is connected or after. */
async function visit (t: ExecutionContext, url: string, random: () => number): Promise<void> {
  const connections = 1 + Math.floor(random() * MAX_CONNECTIONS)
  const client = fork(
    new URL('../testing/greedy-client.js', import.meta.url),
    [new URL(url).port, String(connections)],
    { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }
  )
  t.teardown(() => { client.kill('SIGKILL') })
  const exit = once(client, 'exit')
  if (random() < 0.9) await once(client, 'message')
  await delay(random() * 300)
  client.kill('SIGKILL')
  await exit
}

const openFiles = (program: Program): number => readdirSync(`/proc/${program.pid}/fd`).length
const latest = (program: Program): Record<string, unknown> =>
  program.events.filter(({ event }) => event === 'stats').at(-1) ?? {}
const isIdle = (program: Program): boolean => {
  const stats = latest(program)
  return (
    stats.tunnel_sockets === 0 &&
    stats.tunnel_channels === 0 &&
    [SLOTS, null].includes(stats.tunnel_free_slots as number | null)
  )
}

for (const engine of ENGINES_HERE) {
  for (const transport of TRANSPORTS) {
    test.serial(
      `clients killed at any time leave no descriptor, channel or slot behind (${transport}, ${engine} engine)`,
      async (t) => {
        t.timeout((SECONDS + 60) * 1000)
        const both = [`--transport=${transport}`, `--engine=${engine}`, '--stats=100ms']
        const { host, plugin, url } = await startTunnel(
          t,
          [...both, ...(transport === 'shm' ? [`--slots=${SLOTS}`] : [])],
          both
        )
        const random = seededRandom(7)
        const untilIdle = async (): Promise<void> => {
          await until('host and plugin are idle', () => isIdle(host) && isIdle(plugin))
        }
        await visit(t, url, random)
        await untilIdle()
        const before = [host, plugin].map(openFiles)

        const endMs = performance.now() + SECONDS * 1000
        await Promise.all(
          Array.from({ length: CLIENTS_AT_ONE_TIME }, async () => {
            while (performance.now() < endMs) await visit(t, url, random)
          })
        )

        await untilIdle()
        t.is(latest(host).tunnel_free_slots, transport === 'shm' ? SLOTS : null)
        if (process.platform === 'linux') {
          await until('all descriptors are closed', () =>
            [host, plugin].every((program, i) => openFiles(program) <= before[i]!)
          )
        }
        t.is(latest(host).tunnel_doorbells_missed, 0)
        t.deepEqual((await get(t, `${url}/large`)).body, Buffer.from(contentBytes(262_144)))
      }
    )
  }
}
