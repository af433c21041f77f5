import { ErrorCode, TunnelError } from '../../base/errors.js'
import { Linux, loadSystemCalls, type SystemCalls } from '../../native/system-calls.js'
import type { Polled } from '../engine.js'
import { systemCode } from '../socket-errors.js'
import { TurnEnd } from '../turn-end.js'
import { Immediates } from './immediates.js'
import { InterestSet, type Watcher } from './interest-set.js'
import { LastTurn, LEAVE, type LoopState, MAX_BUSY_MS, nextWait } from './next-wait.js'
import { findNodePoll } from './node-poll.js'
import type { Spin } from './spin.js'

/** Nothing happens: Node still has a turn this often, for its timers. */
const MAX_IDLE_MS = 10

let shared: EventLoop | undefined

/**
 * One for all engines of a thread: two that block would block one another. Throws ERR_TUNNEL_UNAVAILABLE without
 * koffi, and on any system but Linux, and ERR_TUNNEL_LIMIT where no descriptor is left for it.
 */
export function eventLoop (): EventLoop {
  if (shared !== undefined) return shared
  const system = loadSystemCalls()
  try {
    shared = new EventLoop(system)
  } catch (cause) {
    throw new TunnelError(
      ErrorCode.LIMIT,
      `Cannot start the epoll engine: ${systemCode(cause)}: this process or the system is out of descriptors or ` +
      'memory: raise the limit (ulimit -n)',
      { cause }
    )
  }
  return shared
}

/** Whether `#run` is set for Node's next turn, or running. */
const Phase = { RESTING: 0, SCHEDULED: 1, RUNNING: 2 } as const
type Phase = typeof Phase[keyof typeof Phase]

/**
 * Waits for sockets in place of Node's loop, with which it shares the thread. While a socket is open it runs from
 * `setImmediate`: a run is many turns (events, tasks, writes), then Node gets its turn (`next-wait.ts`):
 *
 *     at once      when Node itself has something to do (another thread's message, a signal, a child process, a socket
 *                  of node:net, a finished file operation): libuv's own epoll instance is one of the descriptors that
 *                  are waited for. Or when something is set for "immediately"
 *     within 1 ms  of an event that was handled here: its promises, ticks and immediates run
 *     every 10 ms  otherwise: so late a timer may be
 *
 * Before it sleeps it may spin (`spin.ts`). Where libuv's descriptor cannot be found every wait ends after 1 ms. With
 * nothing open the loop rests, and does not keep the process alive.
 */
export class EventLoop {
  readonly system: SystemCalls
  readonly interest: InterestSet
  readonly turnEnd = new TurnEnd(() => { this.#wake() })
  /** Of each engine with something open, and how much that is. */
  readonly #spins = new Map<Spin, number>()
  readonly #polled: Polled[] = []
  readonly #immediates = new Immediates()
  readonly #state: LoopState = {
    lastTurn: LastTurn.NONE,
    isNodeActive: false,
    hasTasks: false,
    wasQuiet: false,
    nowMs: 0,
    busySinceMs: 0,
    maxIdleMs: MAX_BUSY_MS
  }

  #phase: Phase = Phase.RESTING
  /** In this run libuv has asked for its turn. */
  #isNodeDue = false

  constructor (system: SystemCalls) {
    this.system = system
    this.interest = new InterestSet(system)
    void this.#watchNode()
  }

  /** From here to `release()` the loop runs, keeps the process alive, and spins as `spin` says. */
  hold (spin: Spin): void {
    this.#spins.set(spin, (this.#spins.get(spin) ?? 0) + 1)
    this.#wake()
  }

  release (spin: Spin): void {
    const open = this.#spins.get(spin)! - 1
    if (open > 0) this.#spins.set(spin, open)
    else this.#spins.delete(spin)
  }

  get #isOpen (): boolean {
    return this.#spins.size > 0
  }

  pollUntilAsleep (polled: Polled): void {
    if (this.#polled.includes(polled)) return
    this.#polled.push(polled)
    this.#wake()
  }

  async #watchNode (): Promise<void> {
    const watcher: Watcher = { handleEvents: () => { this.#isNodeDue = true } }
    try {
      const fd = await findNodePoll(this.system)
      if (fd === -1) return
      this.interest.add(fd, Linux.EPOLLIN, watcher)
      this.#state.maxIdleMs = MAX_IDLE_MS
    } catch {
      // Out of descriptors or memory: as where it cannot be found.
    }
  }

  #wake (): void {
    if (this.#phase === Phase.RUNNING) return
    this.#state.isNodeActive = true
    this.#schedule()
  }

  #schedule (): void {
    if (this.#phase === Phase.SCHEDULED) return
    this.#phase = Phase.SCHEDULED
    setImmediate(this.#run)
  }

  readonly #run = (): void => {
    this.#phase = Phase.RUNNING
    try {
      this.#turns()
    } finally {
      this.#phase = Phase.RESTING
      if (this.#isOpen || this.turnEnd.pending) this.#schedule()
    }
  }

  #turns (): void {
    const state = this.#state
    this.#isNodeDue = false
    this.turnEnd.run()
    state.lastTurn = LastTurn.NONE
    state.hasTasks = this.turnEnd.pending
    state.nowMs = performance.now()
    let waitMs = nextWait(state, this.#immediates.areSet)
    state.wasQuiet = !state.isNodeActive
    state.isNodeActive = false
    while (waitMs !== LEAVE && (this.#isOpen || this.turnEnd.pending)) {
      this.#turn(waitMs)
      waitMs = nextWait(state, this.#immediates.areSet)
    }
  }

  #turn (waitMs: number): void {
    const state = this.#state
    const events = this.#wait(waitMs)
    const hadTasks = this.turnEnd.pending
    if (hadTasks) this.turnEnd.run()
    // libuv's own event is nothing that was handled here.
    if (events > (this.#isNodeDue ? 1 : 0)) state.wasQuiet = false
    if (this.#isNodeDue || events < 0) state.lastTurn = LastTurn.NODE_DUE
    else if (events === 0 && !hadTasks) state.lastTurn = LastTurn.NOTHING
    else {
      state.nowMs = performance.now()
      if (state.lastTurn === LastTurn.NONE) state.busySinceMs = state.nowMs
      state.lastTurn = LastTurn.WORK
      state.hasTasks = this.turnEnd.pending
    }
  }

  /** Returns how many events there were, with what was polled; -1: a signal. */
  #wait (waitMs: number): number {
    if (waitMs === 0) return this.#look()
    const startMs = performance.now()
    let count = this.#worthwhileSpin()?.run(this.#look, startMs) ?? 0
    if (count === 0) count = this.#trySleep() ? this.interest.dispatch(waitMs) : this.#stayAwake()
    const waitedMs = performance.now() - startMs
    for (const spin of this.#spins.keys()) spin.learn(waitedMs)
    return count
  }

  /** The one that would look longest. */
  #worthwhileSpin (): Spin | undefined {
    let longest: Spin | undefined
    for (const spin of this.#spins.keys()) {
      if (spin.isWorthwhile && spin.limitMs > (longest?.limitMs ?? 0)) longest = spin
    }
    return longest
  }

  readonly #look = (): number => {
    const count = this.interest.dispatch(0)
    return count < 0 ? count : count + this.#poll()
  }

  /** Something polled expects work soon. Until then other threads may have the processor. */
  #stayAwake (): number {
    const count = this.#look()
    if (count === 0) this.system.sched_yield()
    return count
  }

  #poll (): number {
    let count = 0
    for (let i = 0; i < this.#polled.length; i++) if (this.#polled[i]!.poll()) count++
    return count
  }

  #trySleep (): boolean {
    for (let i = this.#polled.length - 1; i >= 0; i--) {
      if (!this.#polled[i]!.trySleep()) return false
      this.#polled.splice(i, 1)
    }
    return true
  }
}
