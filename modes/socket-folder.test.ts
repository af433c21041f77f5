import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { ErrorCode, TunnelError } from '../src/base/errors.js'
import { SocketFolder } from './socket-folder.js'
import { temporaryFolder } from './testing/temporary.js'

/** The system's folder for temporary files, for the rest of the test. */
function setTemporary (t: Parameters<typeof temporaryFolder>[0], folder: string): void {
  const before = process.env.TMPDIR
  t.teardown(() => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  })
  process.env.TMPDIR = folder
}

function pidOfTheDead (): number {
  return Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }))
}

test.serial('SocketFolder makes a private folder and removes it with what is in it', (t) => {
  const temporary = temporaryFolder(t)
  setTemporary(t, temporary)
  const folder = new SocketFolder()
  t.teardown(() => { folder.remove() })
  const path = folder.pathOf('stream.sock')
  t.is(dirname(dirname(path)), temporary)
  t.is(statSync(dirname(path)).mode & 0o777, 0o700)
  writeFileSync(path, '')
  folder.remove()
  folder.remove()
  t.deepEqual(readdirSync(temporary), [])
})

test.serial('SocketFolder removes what the dead left, and nothing else', (t) => {
  const temporary = temporaryFolder(t)
  setTemporary(t, temporary)
  const dead = pidOfTheDead()
  mkdirSync(join(temporary, `tunnel-bench-${dead}-abc`))
  writeFileSync(join(temporary, `tunnel-bench-${dead}-abc`, 'stream.sock'), '')
  mkdirSync(join(temporary, 'elsewhere'))
  symlinkSync(join(temporary, 'elsewhere'), join(temporary, `tunnel-bench-${dead}-link`))
  const kept = ['elsewhere', `tunnel-bench-${process.ppid}-abc`, `other-${dead}-abc`, 'tunnel-bench-notes'].sort()
  for (const name of kept) mkdirSync(join(temporary, name), { recursive: true })
  const folder = new SocketFolder()
  t.teardown(() => { folder.remove() })
  folder.remove()
  t.deepEqual(readdirSync(temporary).sort(), kept)
})

test.serial('SocketFolder is removed when the process ends at once', (t) => {
  const temporary = temporaryFolder(t)
  const module = new URL('socket-folder.js', import.meta.url).href
  const script = `import { SocketFolder } from ${JSON.stringify(module)}; console.log(new SocketFolder().pathOf('x')); process.exit(0)`
  const path = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', env: { ...process.env, TMPDIR: temporary } })
  t.true(path.startsWith(temporary))
  t.deepEqual(readdirSync(temporary), [])
})

test.serial('SocketFolder says what to do where no folder can be made', (t) => {
  const missing = join(temporaryFolder(t), 'missing')
  setTemporary(t, missing)
  const error = t.throws(() => new SocketFolder(), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.ADDRESS_DENIED)
  t.regex(error.message, /^Cannot make a folder for the tunnel's sockets in \S+missing: ENOENT.*: set TMPDIR to a folder that can be written$/)
  t.false(existsSync(missing))
})

test.serial('SocketFolder says that TMPDIR is too long for a socket, or is not there', (t) => {
  const long = join(temporaryFolder(t), 'd'.repeat(100))
  mkdirSync(long)
  setTemporary(t, long)
  const folder = new SocketFolder()
  t.teardown(() => { folder.remove() })
  t.throws(() => folder.pathOf('stream.sock'), { code: ErrorCode.ADDRESS_INVALID, message: /its path has \d+ bytes, and may have \d+ at most: set TMPDIR, which is \S+d, to a shorter folder$/ })
  setTemporary(t, join(long, 'missing'))
  t.throws(() => new SocketFolder(),
    { code: ErrorCode.ADDRESS_DENIED, message: /missing: ENOENT: .*: set TMPDIR to a folder that can be written$/ })
})
