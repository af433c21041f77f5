import { createEngine, type EngineChoice } from '../create-engine.js'
import type { Engine, EngineName } from '../engine.js'

/** The engines that work here. */
export const ENGINES_HERE: readonly EngineName[] = createEngine('auto').name === 'epoll' ? ['epoll', 'node'] : ['node']

/** What tests that are not about engines run on: `TEST_ENGINE`, or what users get. */
export function createTestEngine (): Engine {
  return createEngine((process.env.TEST_ENGINE ?? 'auto') as EngineChoice)
}
