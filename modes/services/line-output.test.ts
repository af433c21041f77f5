import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { ENGINES_HERE } from '../../src/engine/testing/engines.js'
import { LineOutput } from './line-output.js'
import { get } from '../testing/client.js'
import { childrenOf } from '../testing/processes.js'
import { startPlugin } from '../testing/services.js'
import { temporaryFolder } from '../testing/temporary.js'
import { until } from '../testing/wait.js'

const hasFifo = spawnSync('mkfifo', ['--version']).status === 0
const fifo = hasFifo && process.platform === 'linux' ? test : test.skip

/** Both ends of a pipe that nobody reads unless told to. */
function pipe (t: ExecutionContext): { reader: number, writer: number } {
  const path = join(temporaryFolder(t), 'pipe')
  spawnSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  t.teardown(() => { closeSync(reader) })
  const writer = openSync(path, constants.O_WRONLY)
  t.teardown(() => { closeSync(writer) })
  return { reader, writer }
}

function readAll (reader: number): string {
  const buffer = Buffer.alloc(1 << 20)
  try {
    return buffer.toString('latin1', 0, readSync(reader, buffer))
  } catch {
    return '' // nothing is there
  }
}

fifo(
  'LineOutput waits for no reader, keeps so much, and says how many lines it dropped when the reader goes on',
  (t) => {
    const { reader, writer } = pipe(t)
    const output = new LineOutput(writer, {
      dropped: (lines) => `dropped ${lines}`,
      onError: (error) => {
        throw error
      },
      keptBytes: 10_000
    })
    const [total, length] = [20_000, 100]
    const lineOf = (number: number): string => String(number).padStart(length - 1, '.')
    for (let number = 0; number < total; number++) output.line(lineOf(number))
    let text = ''
    for (let more = readAll(reader); more !== ''; more = readAll(reader)) {
      text += more
      output.end()
    }
    output.line('later')
    text += readAll(reader)
    const lines = text.split('\n').slice(0, -1)
    const kept = lines.slice(0, -2)
    t.true(kept.length >= 100 && kept.length * length < 10_000 + (1 << 20), `${kept.length}`)
    t.deepEqual(
      kept,
      Array.from(kept, (_, number) => lineOf(number))
    )
    t.deepEqual(lines.slice(-2), [`dropped ${total - kept.length}`, 'later'])
  }
)

fifo('LineOutput takes a line that is longer than all it keeps', (t) => {
  const { reader, writer } = pipe(t)
  const output = new LineOutput(writer, { dropped: String, onError: (error) => { throw error }, keptBytes: 10 })
  output.line('x'.repeat(1000))
  t.is(readAll(reader).length, 1001)
})

fifo('LineOutput is silent when its reader has gone, and tells any other error once', (t) => {
  const { reader, writer } = pipe(t)
  const errors: string[] = []
  const onError = (error: NodeJS.ErrnoException, lines: number): void => { errors.push(`${error.code} ${lines}`) }
  const output = new LineOutput(writer, { dropped: String, onError })
  output.line('one')
  t.is(readAll(reader), 'one\n')
  const full = openSync('/dev/full', 'w')
  t.teardown(() => { closeSync(full) })
  const lost = new LineOutput(full, { dropped: String, onError })
  lost.line('one')
  lost.line('two')
  t.deepEqual(errors, ['ENOSPC 0'])
})

test('LineOutput lets a process end that nobody reads from, over a socket, too', async (t) => {
  const script = `import { LineOutput } from ${JSON.stringify(new URL('line-output.js', import.meta.url).href)}
    const output = new LineOutput(process.stdout.fd, { dropped: String, onError: () => {} })
    for (let i = 0; i < 20_000; i++) output.line('x'.repeat(99))
    process.on('exit', () => { output.end() })
    process.exit(7)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => { child.kill('SIGKILL') })
  t.deepEqual(await once(child, 'exit'), [7, null])
})

/**
 * A program in a terminal. `stop` on standard input is Ctrl-S, `go` is Ctrl-Q; prints what the program does, and then
 * its exit code.
 */
const TERMINAL = `
import os, pty, select, sys
pid, master = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
while True:
    ready = select.select([master, 0], [], [])[0]
    if 0 in ready:
        word = os.read(0, 100).strip()
        if word: os.write(master, b'\x13' if word == b'stop' else b'\x11'); print('done', word, flush=True)
    if master in ready:
        try: text = os.read(master, 65536)
        except OSError: text = b''
        if not text: break
        os.write(1, text)
print('exit', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`
const hasPty = spawnSync('python3', ['-c', 'import pty, os; os.waitstatus_to_exitcode']).status === 0

for (const engine of ENGINES_HERE) {
  const terminal = hasPty && process.platform === 'linux' ? test.serial : test.serial.skip
  terminal(`a host whose terminal is stopped goes on, and ends when it is told to: ${engine}`, async (t) => {
    const addr = join(temporaryFolder(t), 's')
    const host = fileURLToPath(new URL('../http-tunnel-host.js', import.meta.url))
    const child = spawn('python3', [
      '-c',
      TERMINAL,
      process.execPath,
      host,
      `--addr=${addr}`,
      '--port=0',
      '--stats=100ms',
      `--engine=${engine}`
    ])
    t.teardown(() => { child.kill('SIGKILL') })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => { text += more })
    const printed = async (pattern: RegExp): Promise<string[]> => {
      await until(`it prints ${String(pattern)}`, () => pattern.test(text))
      return [...pattern.exec(text)!]
    }
    const [, url] = await printed(/listening on (http:\S+),/)
    await startPlugin(t, addr, `--engine=${engine}`).event('attached')
    child.stdin.write('stop\n')
    await printed(/done b'stop'/)
    const before = text.length
    // Longer than it takes until the next line is due.
    for (const endsAt = performance.now() + 500; performance.now() < endsAt;) {
      t.is((await get(t, `${url}/small`)).status, 200)
    }
    t.false(text.slice(before).includes('tunnel_sockets'))
    child.stdin.write('go\n')
    await until('lines come again', () => text.slice(before).includes('tunnel_sockets'))
    child.stdin.write('stop\n')
    await until('it is stopped again', () => text.split("done b'stop'").length === 3)
    process.kill(childrenOf(child.pid!)[0]!.pid, 'SIGTERM')
    await printed(/^exit 0$/m)
  })
}
