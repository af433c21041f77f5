import test, { type ExecutionContext } from 'ava'
import { byEffort } from '../../src/base/testing/effort.js'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import { anyClient } from '../../src/origin/testing/any-client.js'
import { startBaseline, startTunnel, urlOf } from '../testing/services.js'

const memfd = ENGINES_HERE.includes('epoll') ? ['shm'] : []

/** The programs as somebody starts them by hand: what they answer with is theirs to choose. */
const byHand: Record<string, (t: ExecutionContext, engine: string) => Promise<string>> = {
  'http-baseline': async (t, engine) => await urlOf(startBaseline(t, engine)),
  ...Object.fromEntries(['stream', ...memfd].flatMap((transport) => [[], ['--origin=embedded']].map((origin) => [
    [`a plugin over ${transport}`, ...origin].join(' '),
    async (t: ExecutionContext, engine: string) => {
      const args = [`--transport=${transport}`, engine]
      return (await startTunnel(t, args, [...args, ...origin])).url
    }
  ])))
}

for (const [name, start] of Object.entries(byHand)) {
  // A program on one engine is enough for the quick suite: the engines are compared in src/origin and src/tunnel.
  for (const engine of byEffort({ quick: ENGINES_HERE.slice(0, 1), full: ENGINES_HERE })) {
    test.serial(`${name} on ${engine} answers every valid client`, async (t) => {
      const port = Number(new URL(await start(t, `--engine=${engine}`)).port)
      for (const check of Object.values(anyClient)) await check(t, port)
    })
  }
}
