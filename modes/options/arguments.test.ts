import test from 'ava'
import fc from 'fast-check'
import { normalizeArguments, suggestion } from './arguments.js'
import { LOAD_FLAGS } from './load-flags.js'

const FLAGS = { ...LOAD_FLAGS, help: { short: 'h', isSwitch: true } }
const fail = (problem: string): Error => new Error(problem)
const plain = (...typed: string[]): string[] => normalizeArguments(typed, FLAGS, fail)

const forms: Array<[typed: string[], plain: string[]]> = [
  [['-z10s'], ['--duration=10s']],
  [['-z', '10s'], ['--duration=10s']],
  [['-z=10s'], ['--duration=10s']],
  [['--duration', '10s'], ['--duration=10s']],
  [['--duration=10s'], ['--duration=10s']],
  [['-mPOST', '-c8', 'http://h/'], ['--method=POST', '--connections=8', 'http://h/']],
  [['-HX: y', '-H', 'A: b c', '-H', '-x: y'], ['--header=X: y', '--header=A: b c', '--header=-x: y']],
  [['-H', '-n: y'], ['--header=-n: y']],
  [['-d', '-5', '-d-5', '-d', '--5=6'], ['--data=-5', '--data=-5', '--data=--5=6']],
  [['-D', '-', '-D-', '-o', '-'], ['--body-file=-', '--body-file=-', '--output=-']],
  [['-d', ''], ['--data=']],
  [['--data='], ['--data=']],
  [['-d', 'two\nlines=1'], ['--data=two\nlines=1']],
  [['--data=two\nlines=1'], ['--data=two\nlines=1']],
  [['-jn5'], ['--json', '--requests=5']],
  [['-jh'], ['--json', '--help']],
  [['-', '--', 'a', '-'], ['-', 'a', '-']],
  [['-c', '8', '--json', '--no-tui', 'http://h/'], ['--connections=8', '--json', '--no-tui', 'http://h/']]
]
for (const [typed, expected] of forms) {
  test(`normalizeArguments() reads ${JSON.stringify(typed)}`, (t) => {
    t.deepEqual(plain(...typed), expected)
  })
}

const refused: Array<[typed: string[], problem: RegExp]> = [
  [['-z'], /^--duration needs a value$/],
  [['--duration'], /^--duration needs a value$/],
  [
    ['-z', '-c', '8'],
    /^--duration needs a value, and -c is an option; if it is meant as the value, write --duration=-c$/
  ],
  [['-d', '--rate=5'], /^--data needs a value, and --rate=5 is an option/],
  [['--json=yes'], /^--json is a switch and takes no value$/],
  [['-j=yes'], /^--json is a switch and takes no value$/],
  [['--no-json'], /^there is no option --no-json: --json is a switch, and off unless it is given$/],
  [['-duration=5s'], /^there is no option -duration: write --duration, with two dashes$/],
  [['-y'], /^there is no option -y$/],
  [['-jy'], /^there is no option -y$/],
  [['--conections=3'], /^there is no option --conections, but there is --connections$/],
  [['--out'], /^there is no option --out, but there is --output-format or --output$/],
  [['--=x'], /^there is no option --$/],
  [['--', '-x'], /^"-x" would be an option: write \.\/-x for a file or folder of that name$/]
]
for (const [typed, problem] of refused) {
  test(`normalizeArguments() refuses ${JSON.stringify(typed)}`, (t) => {
    t.throws(() => plain(...typed), { message: problem })
  })
}

test('normalizeArguments() takes any value in every form, but for another option', (t) => {
  const isOption = (value: string): boolean => /^-[a-z]$/i.test(value) || value.startsWith('--')
  fc.assert(fc.property(fc.string().filter((value) => !isOption(value)), (value) => {
    for (const typed of [['-d', value], ['--data', value], [`--data=${value}`], [`-d=${value}`]]) {
      t.deepEqual(plain(...typed), [`--data=${value}`])
    }
    if (value !== '' && !value.startsWith('=') && !Object.hasOwn(FLAGS, `d${value}`.split('=')[0]!)) {
      t.deepEqual(plain(`-d${value}`), [`--data=${value}`])
    }
  }))
})

test('suggestion() names what is near, and nothing else', (t) => {
  t.is(suggestion('sizs', ['size', 'rounds']), ', but there is size')
  t.is(suggestion('xyz', ['size', 'rounds']), '')
  t.is(suggestion('x', ['ab']), '')
  t.is(suggestion('x', []), '')
})
