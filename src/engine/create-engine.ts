import { ErrorCode, TunnelError } from '../base/errors.js'
import type { Engine, EngineName } from './engine.js'
import { createEpollEngine } from './epoll/epoll-engine.js'
import { createNodeEngine } from './node/node-engine.js'

/** `auto`: epoll where it loads, which is on Linux with the optional package koffi, else node. */
export const ENGINES: readonly EngineChoice[] = ['auto', 'epoll', 'node']
export type EngineChoice = 'auto' | EngineName

/** Throws ERR_TUNNEL_UNAVAILABLE where `epoll` is asked for and cannot be had. `onFallback` is told why `auto` became node. */
export function createEngine (choice: EngineChoice, onFallback: (why: string) => void = () => {}): Engine {
  if (choice === 'node') return createNodeEngine()
  try {
    return createEpollEngine()
  } catch (error) {
    if (choice === 'epoll' || !(error instanceof TunnelError) || error.code !== ErrorCode.UNAVAILABLE) throw error
    onFallback(`slower node engine in use: ${error.message}`)
    return createNodeEngine()
  }
}
