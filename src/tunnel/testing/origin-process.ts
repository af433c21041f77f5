import { Party, type Step } from './party.js'
import { ScriptedOrigin } from './scripted-origin.js'

export interface Part {
  readonly id: number
  readonly steps: readonly Step[]
}

/** A scripted origin in a process of its own, to be killed: plays each part, says so, and keeps the connection. */
const origin = new ScriptedOrigin({ teardown () {} })
const kept: unknown[] = []

process.on('message', ({ id, steps }: Part) => {
  void origin.accept(id).then(async (socket) => {
    if (socket === undefined) return
    kept.push(socket)
    await new Party('origin', socket, new Set(), id).run(steps)
    process.send!({ played: id })
  })
})
// A test that is over takes its processes with it.
process.on('disconnect', () => { process.exit() })
process.send!({ port: origin.port })
