import { ErrorCode, TunnelError } from '../base/errors.js'
import type { Engine, EngineName } from './engine.js'
import { createEpollEngine } from './epoll/epoll-engine.js'
import type { SpinChoice } from './epoll/spin.js'
import { createNodeEngine } from './node/node-engine.js'

/** `auto`: epoll where it loads, which is on Linux with the optional package koffi, else node. */
export const ENGINES: readonly EngineChoice[] = ['auto', 'epoll', 'node']
export type EngineChoice = 'auto' | EngineName
export type { SpinChoice }

export interface EngineOptions {
  /** How long a thread looks for work before it sleeps; default `auto`. For epoll: `node` cannot, and does not. */
  readonly spin?: SpinChoice
  /** Told why `auto` became node. */
  readonly onFallback?: (why: string) => void
}

/**
 * Throws ERR_TUNNEL_UNAVAILABLE where `epoll` is asked for and cannot be had, and ERR_TUNNEL_LIMIT where no descriptor
 * is left for it.
 */
export function createEngine (choice: EngineChoice, { spin, onFallback = () => {} }: EngineOptions = {}): Engine {
  if (choice === 'node') return createNodeEngine()
  try {
    return createEpollEngine(spin)
  } catch (error) {
    if (!(error instanceof TunnelError) || error.code !== ErrorCode.UNAVAILABLE) throw error
    if (choice === 'epoll') {
      const message = `${error.message}: use the engine on node:net`
      throw new TunnelError(error.code, message, { cause: error, cure: 'engine' })
    }
    onFallback(`slower node engine in use: ${error.message}`)
    return createNodeEngine()
  }
}
