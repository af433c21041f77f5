import test from 'ava'
import { ohaFileNames } from './file-names.js'

function namesOf (...arms: string[]): string[] {
  const cells = arms.map(arm => ({ size: 'small', concurrency: 64, arm }))
  const names = ohaFileNames(cells)
  return cells.map(cell => names.get(cell)!)
}

test('ohaFileNames() name size, concurrency and arm, and no path', t => {
  t.deepEqual(namesOf('baseline', 'baseline#2', 'a/b c'), [
    'small-c64-baseline.json',
    'small-c64-baseline-2.json',
    'small-c64-a-b-c.json'
  ])
  const up = { size: '../up', concurrency: 1, arm: 'x' }
  t.is(ohaFileNames([up]).get(up), '..-up-c1-x.json')
})

test('ohaFileNames() are never alike, and an arm that is called as its file keeps it', t => {
  t.deepEqual(
    namesOf('baseline', 'baseline#2', 'baseline-2', 'baseline-2.2'),
    ['baseline', 'baseline-2.3', 'baseline-2', 'baseline-2.2'].map((name) => `small-c64-${name}.json`)
  )
  t.deepEqual(namesOf('Mine', 'mine', 'MINE'), ['Mine', 'mine.2', 'MINE.3'].map(name => `small-c64-${name}.json`))
})
