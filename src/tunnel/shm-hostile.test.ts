import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { ErrorCode } from '../base/errors.js'
import { Random } from '../engine/testing/random.js'
import { memfdMemory } from '../shm/memfd-memory.js'
import { sharedArrayMemory } from '../shm/shared-array-memory.js'
import { HARMLESS, Scribbler, TARGETS, type Target } from '../transport/shm/testing/scribbler.js'
import type { ScribblerOrder } from '../transport/shm/testing/scribbler-worker.js'
import { until } from './testing/rig.js'
import { VictimFactory, type VictimPair } from './testing/shm-victims.js'
import { byEffort } from '../base/testing/effort.js'

/** How a link under attack may end. */
const OUTCOMES: ReadonlyArray<ErrorCode | undefined> = [
  ErrorCode.PROTOCOL,
  ErrorCode.LIMIT,
  ErrorCode.CLOSED,
  // The other side has found a breach first, and says so or cuts the link.
  ErrorCode.PEER_CLOSED,
  ErrorCode.SOCKET_RESET,
  ErrorCode.PEER_SILENT,
  ErrorCode.VERSION,
  ErrorCode.PEER_BUSY,
  ErrorCode.UNAVAILABLE
]

/** Nothing, any of them alone, so that each is reached behind the checks of the others, and all together. */
const CAMPAIGNS: ReadonlyArray<readonly Target[]> = [
  [],
  ...TARGETS.map((target) => [target]),
  ['descriptors', 'contents'],
  ['positions', 'descriptors'],
  TARGETS
]

/** Where a link was closed by one side, the other must find out by itself. */
async function endsByItself ({ host, plugin }: VictimPair): Promise<boolean> {
  const deadlineMs = Date.now() + 10_000
  const sides = [host, plugin]
  if (!sides.some(({ closedWith }) => closedWith !== undefined)) return true
  await until(() => sides.every(({ transportClosed }) => transportClosed) || Date.now() > deadlineMs)
  return Date.now() <= deadlineMs
}

function isOver ({ host, plugin }: VictimPair): boolean {
  return host.transportClosed && plugin.transportClosed
}

class Tally {
  mutations = 0
  links = 0
  readonly #outcomes = new Map<string, number>()

  note (t: ExecutionContext, { host, plugin }: VictimPair, targets: readonly Target[], what: string): void {
    for (const { closedWith } of [host, plugin]) {
      const outcome = closedWith === undefined ? 'open' : closedWith === null ? 'closed' : closedWith.code
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1)
      if (targets.every((target) => HARMLESS.includes(target))) t.is(closedWith, undefined, what)
      else if (closedWith !== undefined && closedWith !== null) {
        t.true(OUTCOMES.includes(closedWith.code), `${what}: ${closedWith.stack}`)
      }
    }
  }

  count (outcome: string): number { return this.#outcomes.get(outcome) ?? 0 }

  toString (): string {
    return `${this.mutations} mutations on ${this.links} links: ` +
      `${[...this.#outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`
  }
}

const memories = process.platform === 'linux' ? [sharedArrayMemory(), memfdMemory()] : [sharedArrayMemory()]

for (const memory of memories) {
  test.serial(
    `a link goes on or ends cleanly, whatever is written into its segment between the turns (${memory.kind})`,
    async (t) => {
      const mutations = byEffort({ quick: 10_000, full: 20_000, slow: 500_000 })
      const factory = await VictimFactory.start(t, memory)
      const tally = new Tally()
      for (let seed = 1; tally.mutations < mutations; seed++) {
        const random = new Random(seed)
        const targets = CAMPAIGNS[seed % CAMPAIGNS.length]!
        const what = `seed ${seed}, ${targets.join(' and ')}`
        const pair = await factory.makePair()
        const scribbler = new Scribbler(pair.segment.buffer, pair.segment.layout, random)
        const atOnce = 1 + random.below(4)
        const every = 1 + random.below(6)
        const scribble = (): void => {
          if (random.below(every) === 0 && targets.length > 0 && !isOver(pair)) {
            for (let i = 0; i < atOnce; i++) scribbler.mutate(targets)
          }
        }
        pair.host.bounded.onFlush = pair.plugin.bounded.onFlush = scribble
        for (let i = 0; i < 4; i++) pair.host.open()
        for (let i = 0; i < 60 && !isOver(pair); i++) {
          for (let actions = random.below(4); actions > 0; actions--) {
            ;(random.below(2) === 0 ? pair.host : pair.plugin).act(random)
          }
          await new Promise<void>((resolve) => {
            setImmediate(resolve)
          })
          scribble()
        }
        pair.host.bounded.onFlush = pair.plugin.bounded.onFlush = () => {}
        if (seed % 40 < CAMPAIGNS.length) {
          t.true(await endsByItself(pair), `${what}: one side has closed, the other never did`)
        }
        tally.note(t, pair, targets, what)
        t.deepEqual(await pair.finish(), [], what)
        tally.mutations += scribbler.mutations
        tally.links++
      }
      t.log(tally.toString())
      t.true(tally.count(ErrorCode.PROTOCOL) > 0)
      t.true(tally.count('open') > 0)
    }
  )
}

/** Attacks link after link from a thread of its own, until there were `mutations` and `links`. */
async function attackFromThread (
  t: ExecutionContext,
  campaigns: typeof CAMPAIGNS,
  { mutations, links, turns }: { mutations: number; links: number; turns: number },
  act: (pair: VictimPair, random: Random) => void
): Promise<Tally> {
  const factory = await VictimFactory.start(t, sharedArrayMemory())
  const worker = new Worker(new URL('../transport/shm/testing/scribbler-worker.js', import.meta.url))
  t.teardown(() => worker.terminate())
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const tally = new Tally()
  for (let seed = 1; tally.mutations < mutations || tally.links < links; seed++) {
    const random = new Random(seed)
    const targets = campaigns[seed % campaigns.length]!
    const what = `seed ${seed}, ${targets.join(' and ')}`
    const pair = await factory.makePair()
    Atomics.store(stop, 0, targets.length === 0 ? 1 : 0)
    const done = once(worker, 'message')
    const order: ScribblerOrder = {
      buffer: pair.segment.buffer as SharedArrayBuffer,
      layout: pair.segment.layout,
      seed,
      targets,
      mutations: 20_000,
      pause: targets.includes('flips') ? 1 : 10 ** random.below(5),
      stop
    }
    worker.postMessage(order)
    for (let i = 0; i < 4; i++) pair.host.open()
    for (let i = 0; i < turns && !isOver(pair); i++) {
      act(pair, random)
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
    Atomics.store(stop, 0, 1)
    tally.mutations += ((await done) as [number])[0]
    if (seed % 40 < CAMPAIGNS.length) {
      t.true(await endsByItself(pair), `${what}: one side has closed, the other never did`)
    }
    tally.note(t, pair, targets, what)
    t.deepEqual(await pair.finish(), [], what)
    tally.links++
  }
  t.log(tally.toString())
  t.true(tally.count(ErrorCode.PROTOCOL) > 0)
  return tally
}

test.serial(
  'a link goes on or ends cleanly, whatever another thread writes into its segment at any time',
  async (t) => {
    await attackFromThread(
      t,
      CAMPAIGNS,
      byEffort({
        quick: { mutations: 30_000, links: 60, turns: 100 },
        full: { mutations: 100_000, links: 200, turns: 100 },
        slow: { mutations: 1_000_000, links: 3000, turns: 100 }
      }),
      ({ host, plugin }, random) => {
        for (let actions = random.below(6); actions > 0; actions--) (random.below(2) === 0 ? host : plugin).act(random)
      }
    )
  }
)

test.serial('what a descriptor said when it was checked is what counts', async (t) => {
  await attackFromThread(
    t,
    [['flips']],
    { mutations: 0, links: byEffort({ quick: 20, full: 60, slow: 2000 }), turns: 300 },
    ({ host, plugin }) => {
      host.stream()
      plugin.stream()
    }
  )
})
