import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { seededRandom } from '../base/random.js'
import { ENGINES_HERE } from '../engine/testing/engines.js'
import type { Reception } from './testing/party.js'
import { randomScript } from './testing/random-script.js'
import { HAS_RAW_TCP } from './testing/raw-tcp.js'
import { TunnelRig } from './testing/rig.js'
import { Role } from './testing/role.js'
import { ScriptedOrigin } from './testing/scripted-origin.js'
import { BETWEEN_PROCESSES } from './testing/transports.js'
import { byEffort } from '../base/testing/effort.js'

const rawTest = HAS_RAW_TCP ? test : test.skip

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? byEffort({ quick: 1, full: 3, slow: 600 }))
const SEED = Number(process.env['SOAK_SEED'] ?? 1)
/** The only script to be played, again and again; default: one after the other, from the first. */
const ONLY = process.env['SOAK_SCRIPT']
/** Scripts at one time; each is played directly and through every tunnel at one time, too. */
const AT_ONE_TIME = 6
/** Scripts of one seed have seeds of their own, so each can be played alone. */
const SCRIPTS_OF_A_SEED = 1_000_000

const isWhole = ({ lost, isIntact, stuckAt }: Reception): boolean => lost === 0 && isIntact && stuckAt === undefined

rawTest('connections that reset, answer early, stall and close at any time come out as they do directly', async (t) => {
  t.timeout((SECONDS + 120) * 1000)
  const origin = new ScriptedOrigin(t)
  const tunnels = await Promise.all(ENGINES_HERE.flatMap((engine) => BETWEEN_PROCESSES.map(async (transport) => {
    const rig = new TunnelRig(t)
    const host = await new Role(t, `${transport}/${engine}`, 'host', rig.path).up()
    const plugin = await new Role(t, `${transport}/${engine}`, 'plugin', rig.path, String(origin.port)).up()
    return { name: `${transport}/${engine}`, host, plugin, port: host.port }
  })))
  const paths = [{ name: 'direct', port: origin.port }, ...tunnels]

  const differences: string[] = []
  let played = 0
  let next = 0
  const endMs = performance.now() + SECONDS * 1000
  await Promise.all(Array.from({ length: AT_ONE_TIME }, async () => {
    while (performance.now() < endMs && differences.length < 5) {
      const number = ONLY === undefined ? next++ : Number(ONLY)
      const script = randomScript(seededRandom(SEED * SCRIPTS_OF_A_SEED + number))
      const results = await Promise.all(paths.map(async ({ port }) => await origin.play(script, port)))
      played++
      const direct = results[0]!
      for (const [i, result] of results.entries()) {
        if (isWhole(result.client) && isWhole(result.origin) && isDeepStrictEqual(result, direct)) continue
        const [tunnelled, expected, played] = [result, direct, script].map((value) => JSON.stringify(value))
        const replay = `SOAK_SEED=${SEED} SOAK_SCRIPT=${number}`
        differences.push(`${replay}, over ${paths[i]!.name}: ${tunnelled}, and directly ${expected}: ${played}`)
      }
    }
  }))
  t.log(`${played} scripts of seed ${SEED}, each over ${paths.map(({ name }) => name).join(', ')}`)
  for (const difference of differences) t.fail(difference)
  for (const { host, plugin } of tunnels) {
    for (const role of [host, plugin]) {
      const state = await role.until(({ sockets }) => sockets === 0)
      t.like(state, { channels: 0, openChannels: 0, doorbellsMissed: 0 })
    }
  }
})
