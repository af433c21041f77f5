import test from 'ava'
import { LastTurn, LEAVE, type LoopState, MAX_BUSY_MS, nextWait } from './next-wait.js'

const MAX_IDLE_MS = 10
const state: LoopState = {
  lastTurn: LastTurn.NONE,
  isNodeActive: false,
  hasTasks: false,
  wasQuiet: false,
  nowMs: 100,
  busySinceMs: 100,
  maxIdleMs: MAX_IDLE_MS
}
const booleans = [false, true]

/** Every state, with what it leads to by the first row that fits. */
const ROWS: Array<[what: string, fits: (state: LoopState, hasImmediates: boolean) => boolean, waitMs: number]> = [
  ['after a turn without work', ({ lastTurn }) => lastTurn === LastTurn.NOTHING, LEAVE],
  ['when Node has something to do', ({ lastTurn }) => lastTurn === LastTurn.NODE_DUE, LEAVE],
  ['with an immediate, after work', ({ lastTurn }, isSet) => lastTurn === LastTurn.WORK && isSet, LEAVE],
  ['after too long a time of work',
    ({ lastTurn, nowMs }) => lastTurn === LastTurn.WORK && nowMs >= 100 + MAX_BUSY_MS, LEAVE],
  ['with tasks', ({ hasTasks }) => hasTasks, 0],
  ['after other work', ({ lastTurn }) => lastTurn === LastTurn.WORK, MAX_BUSY_MS],
  ['with an immediate, at first', (_, isSet) => isSet, 0],
  ['when something was begun from Node\'s side', ({ isNodeActive }) => isNodeActive, 0],
  ['at first, after a run that handled something', ({ wasQuiet }) => !wasQuiet, MAX_BUSY_MS],
  ['at first, after a run that handled nothing', () => true, MAX_IDLE_MS]
]

test('nextWait() decides every state as the table says, and each row is needed', (t) => {
  const used = new Set<string>()
  for (const lastTurn of Object.values(LastTurn)) {
    for (const isNodeActive of booleans) {
      for (const hasTasks of booleans) {
        for (const wasQuiet of booleans) {
          for (const nowMs of [100, 100.9, 101, 150]) {
            for (const hasImmediates of booleans) {
              const now = { ...state, lastTurn, isNodeActive, hasTasks, wasQuiet, nowMs }
              const [what, , waitMs] = ROWS.find(([, fits]) => fits(now, hasImmediates))!
              used.add(what)
              t.is(nextWait(now, () => hasImmediates), waitMs, `${what}: ${JSON.stringify({ ...now, hasImmediates })}`)
            }
          }
        }
      }
    }
  }
  t.is(used.size, ROWS.length)
})

test('nextWait() asks for immediates only where the answer matters', (t) => {
  const asks = (change: Partial<LoopState>): number => {
    let count = 0
    nextWait({ ...state, ...change }, () => { count++; return false })
    return count
  }
  t.is(asks({}), 1)
  t.is(asks({ lastTurn: LastTurn.WORK }), 1)
  t.is(asks({ isNodeActive: true }), 0)
  t.is(asks({ hasTasks: true }), 0)
  t.is(asks({ lastTurn: LastTurn.WORK, nowMs: 102 }), 0)
  t.is(asks({ lastTurn: LastTurn.NODE_DUE }), 0)
})
