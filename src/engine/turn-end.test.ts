import test from 'ava'
import { TurnPhase } from './engine.js'
import { TurnEnd } from './turn-end.js'

const { DELIVER, PUMP, PUBLISH } = TurnPhase

function makeTurnEnd (): { turnEnd: TurnEnd, order: string[], note: (what: string) => () => void } {
  const order: string[] = []
  return {
    turnEnd: new TurnEnd(() => { order.push('schedule') }),
    order,
    note: (what) => () => { order.push(what) }
  }
}

test('TurnEnd.run() delivers, pumps, publishes and uncorks, whatever was asked for first', (t) => {
  const { turnEnd, order, note } = makeTurnEnd()
  turnEnd.addCorked({ uncork: note('uncork') })
  turnEnd.addTask(note('publish'), PUBLISH)
  turnEnd.addTask(note('pump'))
  turnEnd.addTask(note('deliver'), DELIVER)
  turnEnd.addTask(note('pump 2'), PUMP)
  turnEnd.run()
  t.deepEqual(order, ['schedule', 'deliver', 'pump', 'pump 2', 'publish', 'uncork'])
})

test('TurnEnd.run() goes back to an earlier phase for what a task adds, before the present one goes on', (t) => {
  const { turnEnd, order, note } = makeTurnEnd()
  turnEnd.addTask(() => {
    order.push('publish')
    turnEnd.addTask(note('publish 3'), PUBLISH)
    turnEnd.addTask(note('pump'), PUMP)
    turnEnd.addTask(() => {
      order.push('deliver')
      turnEnd.addCorked({ uncork: note('uncork') })
    }, DELIVER)
  }, PUBLISH)
  turnEnd.addTask(note('publish 2'), PUBLISH)
  turnEnd.run()
  t.deepEqual(order, ['schedule', 'publish', 'deliver', 'pump', 'publish 2', 'publish 3', 'uncork'])
  t.false(turnEnd.pending)
})

test('TurnEnd.run() leaves what uncorking leads to for the next turn', (t) => {
  const { turnEnd, order, note } = makeTurnEnd()
  turnEnd.addCorked({
    uncork () {
      order.push('uncork')
      turnEnd.addTask(note('pump'))
      turnEnd.addCorked({ uncork: note('uncork 2') })
    }
  })
  turnEnd.run()
  t.deepEqual(order, ['schedule', 'uncork', 'schedule'])
  t.true(turnEnd.pending)
  turnEnd.run()
  turnEnd.run()
  t.deepEqual(order.slice(3), ['pump', 'uncork 2'])
})
