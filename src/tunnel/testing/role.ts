import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import type { EngineName } from '../../engine/engine.js'
import type { RoleState } from './role-process.js'
import type { TransportName } from './transports.js'

/** An engine may be named: `memfd/node`. */
export type RoleTransport = TransportName | `${TransportName}/${EngineName}`

/**
 * How long the CPU is watched, and the share of it that a program without work may use: a loop that never sleeps takes
 * all it can get.
 */
const WINDOW_MS = 250
const QUIET_SHARE = 0.1
const MAX_WINDOWS = 40

const MAX_WAIT_MS = 20_000

/** A host or a plugin in a process of its own. */
export class Role {
  readonly child: ChildProcess
  /** Of a host: for clients. Once it is up. */
  port = 0
  killed = false
  readonly #up: Promise<void>

  constructor (
    t: ExecutionContext,
    transport: RoleTransport,
    role: 'host' | 'plugin',
    path: string,
    ...more: string[]
  ) {
    const program = new URL('./role-process.js', import.meta.url)
    this.child = fork(program, [transport, role, path, ...more], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc']
    })
    t.teardown(() => {
      this.child.kill('SIGKILL')
    })
    this.#up = once(this.child, 'message').then(([{ port }]) => {
      this.port = port as number
    })
  }

  /** It is up (a host), or attached (a plugin). Does not end if it is killed before. */
  async up (): Promise<this> {
    await this.#up
    return this
  }

  async kill (): Promise<void> {
    const exit = once(this.child, 'exit')
    this.killed = true
    this.child.kill('SIGKILL')
    await exit
  }

  async state (): Promise<RoleState> {
    const answer = once(this.child, 'message')
    this.child.send({})
    const [{ state }] = (await answer) as [{ state: RoleState }]
    return state
  }

  /** Its state, as soon as `condition` holds. Rejects with what it is instead when that takes far too long. */
  async until (condition: (state: RoleState) => boolean): Promise<RoleState> {
    const deadlineMs = Date.now() + MAX_WAIT_MS
    for (;;) {
      const state = await this.state()
      if (condition(state)) return state
      if (Date.now() > deadlineMs) throw new Error(`the role never came to be as it should: ${JSON.stringify(state)}`)
      await new Promise((resolve) => {
        setTimeout(resolve, 5)
      })
    }
  }

  /**
   * Waits until it uses next to no CPU, for one window of time; what it did before may still be cleared up in the first
   * ones. False: it never rests.
   */
  async comesToRest (): Promise<boolean> {
    for (let i = 0; i < MAX_WINDOWS; i++) {
      const before = await this.state()
      const startNs = process.hrtime.bigint()
      await new Promise((resolve) => {
        setTimeout(resolve, WINDOW_MS)
      })
      const { cpuUs } = await this.state()
      const elapsedUs = Number(process.hrtime.bigint() - startNs) / 1000
      if (cpuUs - before.cpuUs < elapsedUs * QUIET_SHARE) return true
    }
    return false
  }
}
