import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import { SocketFolder } from './socket-folder.js'
import { temporaryFolder } from '../testing/temporary.js'

/** The system's folder for temporary files, for the rest of the test. */
function setTemporary (t: ExecutionContext, folder: string): void {
  const before = process.env.TMPDIR
  t.teardown(() => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  })
  process.env.TMPDIR = folder
}

const MODULE = JSON.stringify(new URL('socket-folder.js', import.meta.url).href)

async function make (t: ExecutionContext, found: string[] = []): Promise<SocketFolder> {
  const folder = await SocketFolder.make((sentence) => { found.push(sentence) })
  t.teardown(() => { folder.remove() })
  return folder
}

/** The folder of a process that goes on until it is killed. */
async function folderOfAnother (
  t: ExecutionContext,
  temporary: string
): Promise<{ path: string; child: ChildProcess }> {
  const script =
    `import { SocketFolder } from ${MODULE}; console.log((await SocketFolder.make(() => ` +
    "{})).pathOf('')); setInterval(() => {}, 1e6)"
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: temporary }
  })
  t.teardown(() => {
    child.kill('SIGKILL')
  })
  const [text] = (await once(child.stdout!.setEncoding('utf8'), 'data')) as [string]
  return { path: text.trim().replace(/\/$/, ''), child }
}

async function kill (child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test.serial('SocketFolder makes a private folder and removes it with what is in it', async (t) => {
  const temporary = temporaryFolder(t)
  setTemporary(t, temporary)
  const folder = await make(t)
  const path = folder.pathOf('stream.sock')
  t.is(dirname(dirname(path)), temporary)
  t.is(statSync(dirname(path)).mode & 0o777, 0o700)
  writeFileSync(path, '')
  folder.remove()
  folder.remove()
  t.deepEqual(readdirSync(temporary), [])
})

test.serial(
  'SocketFolder removes what a killed run left, says so, and removes nothing that may be in use',
  async (t) => {
    const temporary = temporaryFolder(t)
    setTemporary(t, temporary)
    const [dead, alive] = [await folderOfAnother(t, temporary), await folderOfAnother(t, temporary)]
    writeFileSync(join(dead.path, 'stream.sock'), '')
    await kill(dead.child)
    // As seen from another PID namespace, where the number of the living is nobody's or somebody else's.
    const renamed = join(temporary, `tunnel-bench-${dead.child.pid}-alive`)
    renameSync(alive.path, renamed)
    const owner = JSON.parse(readFileSync(join(renamed, 'owner.json'), 'utf8')) as Record<string, unknown>
    const copies = {
      starting: null,
      broken: '{',
      elsewhere: JSON.stringify({ ...owner, host: 'elsewhere', boot: 'another' })
    }
    for (const [name, text] of Object.entries(copies)) {
      mkdirSync(join(temporary, `tunnel-bench-1-${name}`))
      if (text !== null) writeFileSync(join(temporary, `tunnel-bench-1-${name}`, 'owner.json'), text)
    }
    symlinkSync(renamed, join(temporary, 'tunnel-bench-1-link'))
    mkdirSync(join(temporary, 'tunnel-bench-notes'))
    const kept = readdirSync(temporary)
      .filter((name) => name !== basename(dead.path))
      .sort()
    const found: string[] = []
    const folder = await make(t, found)
    folder.remove()
    t.deepEqual(readdirSync(temporary).sort(), kept)
    t.is(found.length, 1)
    t.regex(
      found[0]!,
      new RegExp(
        `^found ${dead.path}, left by a run that was killed \\(process ${dead.child.pid}, started 20\\S+Z\\): ` +
        'removed it$'
      )
    )
  }
)

test.serial('SocketFolder removes what was left before the machine started', async (t) => {
  const temporary = temporaryFolder(t)
  setTemporary(t, temporary)
  const { path, child } = await folderOfAnother(t, temporary)
  await kill(child)
  const owner = JSON.parse(readFileSync(join(path, 'owner.json'), 'utf8')) as Record<string, unknown>
  writeFileSync(join(path, 'owner.json'), JSON.stringify({ ...owner, boot: 'an earlier one' }))
  rmSync(join(path, 'lock.sock'))
  const folder = await make(t)
  folder.remove()
  t.deepEqual(readdirSync(temporary), [])
})

test.serial('SocketFolder is removed when the process ends at once', (t) => {
  const temporary = temporaryFolder(t)
  const script = `import { SocketFolder } from ${MODULE}; console.log((await SocketFolder.make(() => ` +
    '{})).pathOf(\'x\')); process.exit(0)'
  const path = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: temporary }
  })
  t.true(path.startsWith(temporary))
  t.deepEqual(readdirSync(temporary), [])
})

test.serial('SocketFolder says what to do where no folder can be made', async (t) => {
  const missing = join(temporaryFolder(t), 'missing')
  setTemporary(t, missing)
  const error = await t.throwsAsync(make(t), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.ADDRESS_DENIED)
  t.regex(
    error.message,
    /^Cannot make a folder for the tunnel's sockets in \S+missing: ENOENT.*: set TMPDIR to a folder that can be written$/
  )
  t.false(existsSync(missing))
})

test.serial('SocketFolder says that TMPDIR is too long for sockets, and leaves nothing there', async (t) => {
  const long = join(temporaryFolder(t), 'x'.repeat(80))
  mkdirSync(long)
  setTemporary(t, long)
  const error = await t.throwsAsync(make(t), { instanceOf: TunnelError })
  t.is(error.code, ErrorCode.ADDRESS_INVALID)
  t.regex(
    error.message,
    /^Cannot make the tunnel's sockets in \S+xx: their paths would have up to 1\d\d bytes, and a Unix socket path has at most \d+: set TMPDIR to a shorter folder, for example \/tmp$/
  )
  t.deepEqual(readdirSync(long), [])
})
