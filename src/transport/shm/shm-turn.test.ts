import test from 'ava'
import { TurnPhase } from '../../engine/engine.js'
import { createEngine } from '../../engine/create-engine.js'
import { ENGINES_HERE } from '../../engine/testing/engines.js'
import { FrameType } from '../../frame/layout.js'
import { sharedArrayMemory } from '../../shm/shared-array-memory.js'
import { Recorder } from '../testing/recorder.js'
import { makeShmPair } from '../testing/shm-pair.js'

const ROUND_TRIPS = 200

for (const name of ENGINES_HERE) {
  test(`a frame that is answered costs each side one turn, whose answer is published with it (${name})`, async (t) => {
    const engine = createEngine(name)
    const tasks = [0, 0, 0]
    const atTurnEnd = engine.atTurnEnd.bind(engine)
    engine.atTurnEnd = (task, phase = TurnPhase.PUMP) => {
      tasks[phase]!++
      atTurnEnd(task, phase)
    }
    const { a, b, free } = await makeShmPair(() => engine, { memory: sharedArrayMemory() })
    t.teardown(free)
    const recorders = [new Recorder(), new Recorder()] as const
    for (const [side, transport] of [a, b].entries()) {
      recorders[side]!.onEach = () => {
        engine.atTurnEnd(() => {
          transport.send(FrameType.PING, 0, 0)
          transport.flush()
        })
      }
      transport.start(recorders[side]!)
    }
    a.send(FrameType.PING, 0, 0)
    a.flush()
    await recorders[0].untilFrames(ROUND_TRIPS)
    const perTurn = 2 * ROUND_TRIPS
    for (const phase of Object.values(TurnPhase)) {
      t.true(tasks[phase]! >= perTurn && tasks[phase]! < perTurn * 1.25, `phase ${phase}: ${tasks[phase]} tasks`)
    }
    a.close()
    await Promise.all(recorders.map((recorder) => recorder.untilClose()))
  })
}
