import { createServer } from 'node:http'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { byEffort } from '../../src/base/testing/effort.js'
import { print } from '../testing/command-lines.js'
import { inTurn, Program, runToEnd } from '../testing/program.js'
import { temporaryFolder } from '../testing/temporary.js'
import { type Part, without } from '../testing/without.js'

/** What messages name as a cure is tried: the failure is caused, the cure is read from the text and applied. */

const QUICK = [
  '--duration=50ms',
  '--warmup=0s',
  '--rounds=1',
  '--sizes=small',
  '--concurrency=1',
  '--equal-load=0',
  '--allow-invalid'
]
const SWEEP = [
  ...QUICK.slice(0, 3), '--rates=100', '--connections=2', '--p99-bound=1h', '--precision=0.5', '--allow-invalid'
]

/** `args` without what is the same in all tests. */
const shown = (args: readonly string[]): string => args.filter((arg) => ![...QUICK, ...SWEEP].includes(arg)).join(' ')

/** For cures that leave the value to the reader. */
const VALUES: Readonly<Record<string, (t: ExecutionContext) => string>> = {
  addr: (t) => join(temporaryFolder(t), 's'),
  slots: () => '64',
  'slot-bytes': () => '4096'
}

/** Options in parentheses at the end of a message: each of them is one way out. */
function curesIn (t: ExecutionContext, message: string): string[] {
  const [, words] = /\(([^()]*--[^()]*)\) \(ERR_[A-Z_]+\)\n$/.exec(message) ?? []
  const cures = words?.match(/--[a-z-]+(=[^\s)]+)?/g) ?? []
  t.true(cures.length > 0, `a cure is named: ${message}`)
  return cures.map((cure) => cure.includes('=') ? cure : `${cure}=${VALUES[cure.slice(2)]!(t)}`)
}

/** `args` with one option in the place of what was said for it. */
function withOption (args: readonly string[], cure: string): string[] {
  return [...args.filter((arg) => !arg.startsWith(`${cure.split('=')[0]}=`)), cure]
}

/** A run takes a second or two: the quick suite tries one way out of each failure, and every third failure. */
function tried<T> (cures: readonly T[]): readonly T[] {
  return byEffort({ quick: cures.slice(0, 1), full: cures })
}
function some<T> (failures: readonly T[]): readonly T[] {
  return byEffort({ quick: failures.filter((_, i) => i % 3 === 0), full: failures })
}

const onLinux = process.platform === 'linux' ? test : test.skip

/** What a machine can lack, what was asked for, and how many ways out are named. */
const lacking: Array<[lacks: Part, name: string, args: string[], ways: number]> = [
  ['koffi', 'tunnel-bench', ['run', ...QUICK, '--arms=baseline,shm'], 2],
  ['koffi', 'tunnel-bench', ['run', ...QUICK, '--slots=64'], 1],
  ['koffi', 'tunnel-bench', ['run', ...QUICK, '--arms=baseline', '--engine=epoll'], 1],
  ['koffi', 'http-tunnel-host', ['--port=0', '--transport=shm', '--json'], 1],
  ['koffi', 'http-tunnel-host', ['--port=0', '--engine=epoll', '--json'], 1],
  ['koffi', 'http-tunnel-plugin', ['--origin=embedded', '--transport=shm', '--json'], 1],
  ['koffi', 'http-tunnel-plugin', ['--origin=embedded', '--engine=epoll', '--json'], 1],
  ['koffi', 'tunnel-bench', ['load', '{url}', '-n1', '--engine=epoll'], 1],
  ['koffi\'s binary', 'tunnel-bench', ['run', ...QUICK, '--arms=shm'], 1],
  ['koffi\'s binary', 'tunnel-bench', ['load', '{url}', '-n1', '--engine=epoll'], 1],
  ['memfd', 'http-tunnel-host', ['--port=0', '--transport=shm', '--json'], 1],
  ['memfd', 'http-tunnel-plugin', ['--origin=embedded', '--transport=shm', '--json'], 1],
  ['uWebSockets.js', 'tunnel-bench', ['run', ...QUICK, '--arms=baseline', '--server=uws'], 1],
  ['uWebSockets.js', 'http-baseline', ['--port=0', '--server=uws', '--json'], 1],
  ['uWebSockets.js', 'http-tunnel-plugin', ['--origin-port=0', '--server=uws', '--json'], 1]
]

for (const [lacks, name, args, ways] of some(lacking)) {
  onLinux(`without ${lacks}, ${name} ${shown(args)} names what works instead`, async (t) => {
    const full = await complete(t, name, args)
    const env = without(t, lacks)
    const { code, stdout, stderr } = await runToEnd(t, name, full, { env })
    t.deepEqual([code, stdout], [1, ''])
    const cures = curesIn(t, stderr)
    t.is(cures.length, ways, stderr)
    for (const cure of tried(cures)) await works(t, name, withOption(full, cure), env)
  })
}

/** `args` with what every command needs, and does not matter here. */
async function complete (t: ExecutionContext, name: string, args: readonly string[]): Promise<string[]> {
  const folder = temporaryFolder(t)
  if (name === 'tunnel-bench') {
    if (!args.includes('{url}')) return [...args, `--out=${folder}`]
    const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1')
    t.teardown(() => { server.close() })
    await once(server, 'listening')
    return args.map((arg) => arg.replace('{url}', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`))
  }
  const needsNone = name === 'http-baseline' || args.some((arg) => arg.startsWith('--addr='))
  return needsNone ? [...args] : [...args, `--addr=${join(folder, 's')}`]
}

/** A command of `tunnel-bench` ends well; a service says that it is up. */
async function works (t: ExecutionContext, name: string, args: readonly string[], env = {}): Promise<void> {
  if (name === 'tunnel-bench') {
    const { code, stderr } = await runToEnd(t, name, args, { env })
    t.is(code, 0, stderr)
  } else {
    await inTurn(async () => {
      const service = new Program(t, name, args, { env })
      await service.event(name === 'http-tunnel-plugin' ? 'started' : 'listening')
      service.kill('SIGKILL')
      await service.ended
    })
    t.pass()
  }
}

const defaults: Array<[lacks: Part, args: string[], left: string]> = [
  ['koffi', ['run', ...QUICK], 'baseline, stream'],
  ['koffi', ['run', ...QUICK, '--ladder'], 'baseline, uds, relay, relay2, stream, stream-uds, stream-embedded'],
  ['memfd', ['run', ...QUICK], 'baseline, stream'],
  ['koffi', ['sweep', ...SWEEP], 'baseline, stream']
]
for (const [lacks, args, left] of some(defaults)) {
  const typed = shown(args)
  onLinux(`without ${lacks}, tunnel-bench ${typed} leaves out arms, with the reason`, async (t) => {
    const full = await complete(t, 'tunnel-bench', [...args, '--engine=node', '--server=node'])
    const env = without(t, lacks)
    const { code, stdout, stderr } = await runToEnd(t, 'tunnel-bench', full, { env })
    t.is(code, 0)
    t.true(stdout.startsWith(`${left} in processes,`), stdout)
    t.regex(stderr, /^tunnel-bench: without shm[^\n]*: Cannot [^\n]* \(--mode=threads\)\n$/)
    if (typed === 'run') await works(t, 'tunnel-bench', [...full, '--mode=threads'], env)
  })
}

const taken: Array<[name: string, args: string[]]> = [
  ['http-baseline', ['--port={port}', '--server=node']],
  ['http-baseline', ['--port={port}']],
  ['http-baseline', ['--port=0', '--addr={folder}/file', '--server=node']],
  ['http-tunnel-host', ['--port={port}']],
  ['http-tunnel-host', ['--port={port}', '--engine=node']],
  ['http-tunnel-host', ['--port=0', '--addr={folder}/file']],
  ['http-tunnel-host', ['--port=0', '--addr={folder}/no/s']],
  ['http-tunnel-host', ['--port=0', '--addr={folder}/file/s', '--engine=node']],
  ['http-tunnel-plugin', ['--origin-port={port}']],
  ['tunnel-bench', ['run', ...QUICK, '--arms=baseline', '--origin-port={port}']]
]
for (const [name, args] of some(taken)) {
  test(`${name} ${shown(args)} is taken: an option that helps is named`, async (t) => {
    const folder = temporaryFolder(t)
    writeFileSync(join(folder, 'file'), '')
    const server = createServer().listen(0, '127.0.0.1')
    t.teardown(() => { server.close() })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const typed = args.map((arg) => arg.replace('{port}', String(port)).replace('{folder}', folder))
    const full = await complete(t, name, name === 'tunnel-bench' ? typed : [...typed, '--json'])
    const { code, stderr } = await runToEnd(t, name, full)
    t.is(code, 1)
    for (const cure of tried(curesIn(t, stderr))) await works(t, name, withOption(full, cure))
  })
}

test('a run whose generator is not installed names one that is', async (t) => {
  const typed = ['run', ...QUICK, '--arms=baseline', '--generator=wrk', '--duration=1s']
  const args = await complete(t, 'tunnel-bench', typed)
  const { code, stderr } = await runToEnd(t, 'tunnel-bench', args, { env: { PATH: temporaryFolder(t) } })
  t.is(code, 1)
  for (const cure of curesIn(t, stderr)) await works(t, 'tunnel-bench', withOption(args, cure))
})

onLinux('a host that has no memory for its segment says so to both sides, with a cure', async (t) => {
  const begin = async (sizes: readonly string[]): Promise<void> => {
    const addr = join(temporaryFolder(t), 's')
    const args = ['--transport=shm', `--addr=${addr}`, '--json']
    const host = new Program(t, 'http-tunnel-host', [...args, '--port=0', ...sizes], { env: without(t, 'memory') })
    await host.event('listening')
    const plugin = new Program(t, 'http-tunnel-plugin', [...args, '--origin=embedded'])
    if (sizes.length > 0) await host.event('attached')
    else {
      const { message } = await host.event('refused')
      t.regex(String(message), /memory is full .*: choose fewer slots or smaller ones \(--slots or --slot-bytes of the/)
    }
    plugin.kill('SIGKILL')
    host.kill('SIGTERM')
    await host.ended
  }
  for (const sizes of [[], ['--slots=64'], ['--slot-bytes=4096']]) await inTurn(async () => { await begin(sizes) })
})

/** Rules of the options themselves: what is said of one, and what is typed instead. */
const rules: Array<[args: string[], cures: Array<(said: string, args: string[]) => string[]>]> = [
  [
    ['load', '{url}', '-n1', '--seed=3'],
    [leaveOut, add('--rate=50')]
  ],
  [['load', '{url}', '-n1', '--warmup=0s'], [add('--duration=2s')]],
  [['load', '{url}', '-n1', '--data=a', '--body-file=/dev/null'], [leaveOut]],
  [['load', '{url}', '-z2000'], [(said, args) => [...args.slice(0, -1), `-z${found(said, /or (2000ms) for/)}`]]],
  [['load', '{url}', '-n', '1', '-d', '-n'], [(said, args) => [...args.slice(0, -2), found(said, /write (\S+=-n):/)]]],
  [
    ['load', '{url}', '-n1', '--conections=1'],
    [(said, args) => [...args.slice(0, -1), `${found(said, /but there is (\S+):/)}=1`]]
  ],
  [
    ['load', '{url}', '-n1', '-connections=1'],
    [(said, args) => [...args.slice(0, -1), `${found(said, /write (\S+),/)}=1`]]
  ],
  [['laod', '{url}', '-n1'], [(said, args) => [found(said, /but there is (\S+):/), ...args.slice(1)]]],
  [
    ['run', ...QUICK, '--mode=threads', '--arms=baseline', '--slots=64'],
    [leaveOut, replace('--arms=baseline,shm')]
  ],
  [['run', ...QUICK, '--mode=threads', '--arms=baseline', '--engine=node', '--spin-us=5'], [leaveOut]],
  [['run', ...QUICK, '--mode=threads', '--arms=baseline', '--count-syscalls'], [leaveOut]],
  [['run', ...QUICK, '--mode=threads', '--engine=node', '--server=node', '--arms=uds', '--ladder'], [leaveOut]],
  [['run', ...QUICK, '--arms=baseline', '--out=/dev/null'], [replace('--out={folder}')]]
]

function found (said: string, pattern: RegExp): string {
  const [, text] = pattern.exec(said) ?? []
  if (text === undefined) throw new Error(`${String(pattern)} is not in: ${said}`)
  return text
}

function leaveOut (said: string, args: string[]): string[] {
  const name = found(said, /Cannot use --([a-z0-9-]+)=/)
  return args.filter((arg) => !arg.startsWith(`--${name}=`) && arg !== `--${name}`)
}

function add (option: string): (said: string, args: string[]) => string[] {
  return (said, args) => {
    if (!said.includes(option.split('=')[0]!)) throw new Error(`${option} is not what it says: ${said}`)
    return [...args, option]
  }
}

function replace (option: string): (said: string, args: string[]) => string[] {
  return (_, args) => withOption(args, option)
}

for (const [args, cures] of some(rules)) {
  test(`tunnel-bench ${shown(args)} is refused with a cure that works`, async (t) => {
    const folder = temporaryFolder(t)
    const full = await complete(t, 'tunnel-bench', args)
    const typed = args.some((arg) => arg.startsWith('--out=')) ? full.slice(0, -1) : full
    const { code, stderr } = await print('tunnel-bench', typed)
    t.is(code, 2, stderr)
    for (const cure of tried(cures)) {
      await works(t, 'tunnel-bench', cure(stderr, typed).map((arg) => arg.replace('{folder}', folder)))
    }
  })
}

test('options of shared memory are refused by a host without, and a cure works', async (t) => {
  const args = await complete(t, 'http-tunnel-host', ['--port=0', '--slots=64', '--json'])
  const { stderr } = await runToEnd(t, 'http-tunnel-host', args)
  t.regex(stderr, /leave it out, or add --transport=shm \(/)
  await works(t, 'http-tunnel-host', leaveOut(stderr, args))
  if (process.platform === 'linux') await works(t, 'http-tunnel-host', [...args, '--transport=shm'])
})

test('an option of the own origin is refused beside another one, and both cures work', async (t) => {
  const args = await complete(t, 'http-tunnel-plugin', ['--origin=embedded', '--origin-port=0', '--json'])
  const { stderr } = await runToEnd(t, 'http-tunnel-plugin', args)
  t.regex(stderr, /leave it out, or --origin \(/)
  await works(t, 'http-tunnel-plugin', leaveOut(stderr, args))
  await works(t, 'http-tunnel-plugin', args.filter((arg) => !arg.startsWith('--origin=')))
})

/** Text of every string and template in a source file, without comments. */
function stringsOf (source: string): string {
  const code = source.replace(/\/\*[^]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
  return [...code.matchAll(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g)].map(([text]) => text).join('\n')
}

test('the library does not speak of options of commands, which programs that use it may not have', (t) => {
  // What describes a run speaks to whoever typed the command; options in src/load/external are those of other
  // programs, and npm has one.
  const root = new URL('../../../src', import.meta.url).pathname
  const others = /\.test\.ts$|(^|\/)testing\/|^(report|judge|analysis|result)\/|^load\/external\//
  const isLibrary = (file: string): boolean => !others.test(file)
  const all = readdirSync(root, { recursive: true, encoding: 'utf8' })
  const files = all.filter((file) => file.endsWith('.ts') && isLibrary(file))
  t.true(files.length > 100)
  for (const file of files) {
    t.notRegex(stringsOf(readFileSync(join(root, file), 'utf8')), /--(?!include=optional)[a-z]/, file)
  }
})
