import type { ChildProcess } from 'node:child_process'
import { type MessagePort, parentPort, type Worker } from 'node:worker_threads'
import { type Endpoint, expose, releaseProxy, type Remote, wrap } from 'comlink'
import { type ErrorData, ErrorCode, fromErrorData, toErrorData, TunnelError } from '../src/base/errors.js'
import { readCpuUsage } from '../src/metrics/cpu.js'
import type { RoleName, RoleSample, RoleTypes, RunningRole } from './roles.js'

/**
 * The control protocol between the orchestrator and a role: comlink over whatever carries messages, a worker's port or
 * the IPC channel of a child process. This is the only file that knows comlink. Errors cross as data, because
 * `postMessage` strips their code.
 */
type Answer<T> = { readonly ok: true, readonly value: T } | { readonly ok: false, readonly error: ErrorData }

interface Control {
  start (options: unknown): Promise<Answer<unknown>>
  sample (): Promise<Answer<RoleSample>>
  measure (job: unknown): Promise<Answer<unknown>>
  close (): Promise<Answer<void>>
}

/** What a worker's port and a child process have in common. */
export interface MessageChannelLike {
  post (message: unknown): void
  on (listener: (message: unknown) => void): void
  off (listener: (message: unknown) => void): void
}

/** The orchestrator's end: calls that reject with the role's own TunnelError. */
export class RoleControl<N extends RoleName> {
  readonly #remote: Remote<Control>

  constructor (channel: MessageChannelLike) {
    this.#remote = wrap<Control>(endpointOf(channel))
  }

  async start (options: RoleTypes[N]['options']): Promise<RoleTypes[N]['ready']> {
    return unwrap(await this.#remote.start(options)) as RoleTypes[N]['ready']
  }

  async sample (): Promise<RoleSample> {
    return unwrap(await this.#remote.sample())
  }

  async measure (job: RoleTypes[N]['job']): Promise<RoleTypes[N]['result']> {
    return unwrap(await this.#remote.measure(job)) as RoleTypes[N]['result']
  }

  async close (): Promise<void> {
    unwrap(await this.#remote.close())
  }

  release (): void {
    this.#remote[releaseProxy]()
  }
}

/**
 * The role's end: call it once, at the top level of an entry point. The role ends when the orchestrator says so or is
 * gone; Ctrl-C and a terminal's end reach every process of it, and a service manager's SIGTERM too, so here they are
 * ignored: the orchestrator decides in which order to close.
 */
export function serveRole<N extends RoleName> (
  startRole: (options: RoleTypes[N]['options']) => Promise<RunningRole<N>>
): void {
  let starting: Promise<RunningRole<N>> | null = null
  const closeRole = async (): Promise<void> => {
    // A role that is still starting is waited for, so that it cannot come to life when nobody is left to close it.
    const role = await starting?.catch(() => null)
    await role?.close()
  }
  const control: Control = {
    start: async (options) =>
      await answer(async () => {
        starting = startRole(options as RoleTypes[N]['options'])
        return (await starting).ready
      }),
    sample: async () =>
      await answer(async () => ({
        cpu: readCpuUsage(),
        rssBytes: process.memoryUsage.rss(),
        stats: (await starting)?.stats?.() ?? null
      })),
    measure: async (job) =>
      await answer(async () => {
        const role = await starting
        if (role?.measure === undefined) {
          throw new TunnelError(ErrorCode.INTERNAL, 'Cannot measure: this role takes no jobs, or was not started')
        }
        return await role.measure(job as RoleTypes[N]['job'])
      }),
    close: async () => {
      const closed = await answer(closeRole)
      // The answer must have left before the channel that carries it is closed.
      setImmediate(disconnect)
      return closed
    }
  }
  if (parentPort !== null) {
    expose(control, endpointOf(portChannel(parentPort)))
  } else {
    // The orchestrator may be gone before this process came so far; then there is nothing to serve, and it ends.
    if (!process.connected) return
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
    process.on('disconnect', () => {
      void closeRole()
    })
    expose(
      control,
      endpointOf({
        post: (message) => {
          if (process.connected) process.send!(message)
        },
        on: (listener) => {
          process.on('message', listener)
        },
        off: (listener) => {
          process.off('message', listener)
        }
      })
    )
  }
}

function disconnect (): void {
  if (parentPort !== null) parentPort.close()
  else if (process.connected) process.disconnect()
}

/** A worker seen from outside, or its parent seen from inside. */
export function portChannel (port: MessagePort | Worker): MessageChannelLike {
  return {
    post: (message) => { port.postMessage(message) },
    on: (listener) => { port.on('message', listener) },
    off: (listener) => { port.off('message', listener) }
  }
}

/** A child process seen from outside. */
export function childChannel (child: ChildProcess): MessageChannelLike {
  return {
    // A send to a child that has just died fails; that it died is told by its exit.
    post: (message) => { child.send(message as object, () => {}) },
    on: (listener) => { child.on('message', listener) },
    off: (listener) => { child.off('message', listener) }
  }
}

async function answer<T> (action: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await action() }
  } catch (error) {
    return { ok: false, error: toErrorData(error) }
  }
}

function unwrap<T> (answered: Answer<T>): T {
  if (answered.ok) return answered.value
  throw fromErrorData(answered.error)
}

type EventHandler = Parameters<Endpoint['addEventListener']>[1]

function endpointOf (channel: MessageChannelLike): Endpoint {
  const listeners = new Map<EventHandler, (message: unknown) => void>()
  return {
    postMessage: (message: unknown) => { channel.post(message) },
    addEventListener: (_type, handler) => {
      const listener = (message: unknown): void => {
        const event = { data: message } as MessageEvent
        if (typeof handler === 'function') handler(event)
        else handler.handleEvent(event)
      }
      listeners.set(handler, listener)
      channel.on(listener)
    },
    removeEventListener: (_type, handler) => {
      const listener = listeners.get(handler)
      if (listener !== undefined) channel.off(listener)
      listeners.delete(handler)
    }
  }
}
