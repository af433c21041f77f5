import { TurnPhase } from '../engine.js'
import type { Suite } from './rig.js'

export function registerTurnTests (suite: Suite): void {
  suite.once('atTurnEnd() runs tasks in the order given, and tasks of tasks in the same turn', async (t, rig) => {
    const { engine } = rig
    const order: string[] = []
    await new Promise<void>((resolve) => {
      engine.atTurnEnd(() => {
        order.push('first')
        setImmediate(() => {
          order.push('next turn')
          resolve()
        })
        engine.atTurnEnd(() => {
          order.push('third')
          engine.atTurnEnd(() => order.push('fourth'))
        })
      })
      engine.atTurnEnd(() => order.push('second'))
      order.push('before')
    })
    t.deepEqual(order, ['before', 'first', 'second', 'third', 'fourth', 'next turn'])
  })

  suite.once('atTurnEnd() delivers, pumps and publishes, whatever was asked for first', async (t, { engine }) => {
    const { DELIVER, PUMP, PUBLISH } = TurnPhase
    const order: string[] = []
    await new Promise<void>((resolve) => {
      engine.atTurnEnd(() => {
        order.push('publish')
        engine.atTurnEnd(() => order.push('pump again'), PUMP)
        engine.atTurnEnd(() => order.push('deliver again'), DELIVER)
        setImmediate(resolve)
      }, PUBLISH)
      engine.atTurnEnd(() => order.push('publish after'), PUBLISH)
      engine.atTurnEnd(() => order.push('pump'))
      engine.atTurnEnd(() => order.push('deliver'), DELIVER)
    })
    t.deepEqual(order, ['deliver', 'pump', 'publish', 'deliver again', 'pump again', 'publish after'])
  })

  suite.once('atTurnEnd() runs a task once per call, and again in a later turn', async (t, rig) => {
    let runs = 0
    const task = () => { runs++ }
    rig.engine.atTurnEnd(task)
    rig.engine.atTurnEnd(task)
    await rig.turns(2)
    t.is(runs, 2)
    rig.engine.atTurnEnd(task)
    await rig.turns(2)
    t.is(runs, 3)
  })

  suite.once('atTurnEnd() reports what a task throws as uncaught and runs the others', async (t, rig) => {
    const restore = takeUncaughtExceptions()
    const order: string[] = []
    const uncaught = new Promise<unknown>((resolve) => process.once('uncaughtException', resolve))
    rig.engine.atTurnEnd(() => order.push('first'))
    rig.engine.atTurnEnd(() => { throw new Error('a broken task') })
    rig.engine.atTurnEnd(() => order.push('last'))
    try {
      t.like(await uncaught, { message: 'a broken task' })
    } finally {
      restore()
    }
    t.deepEqual(order, ['first', 'last'])
    await rig.turns(1)
  }, true)

  suite.onBoth(
    'write() from a task leaves together with what was written earlier in the turn',
    async (t, rig, kind) => {
      const { client, server } = await rig.pair(kind)
      rig.write(client, Buffer.from('one '))
      rig.engine.atTurnEnd(() => {
        rig.write(client, Buffer.from('two '))
        rig.engine.atTurnEnd(() => {
          rig.write(client, Buffer.from('three'))
        })
      })
      await server.reader.untilBytes(13)
      t.deepEqual(
        server.reader.commits.map((bytes) => Buffer.from(bytes).toString()),
        ['one two three']
      )
      client.socket.shutdown()
      server.socket.shutdown()
    }
  )
}

/**
 * Takes uncaught exceptions away from the test runner, which would fail the test, until the returned function is
 * called.
 */
function takeUncaughtExceptions (): () => void {
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  return () => {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
}
