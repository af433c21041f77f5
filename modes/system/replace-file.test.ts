import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { checkReplaceable, replaceFile } from './replace-file.js'
import { temporaryFolder } from '../testing/temporary.js'

test('replaceFile() puts another file in its place, through links, and keeps the mode', (t) => {
  const folder = temporaryFolder(t)
  const [file, link, dangling] = ['file', 'link', 'dangling'].map((name) => join(folder, name)) as [
    string,
    string,
    string
  ]
  writeFileSync(file, 'old', { mode: 0o640 })
  const old = openSync(file, 'r')
  t.teardown(() => { closeSync(old) })
  symlinkSync('file', link)
  checkReplaceable(link)
  t.is(readFileSync(file, 'utf8'), 'old')
  replaceFile(link, 'new')
  t.is(readFileSync(old, 'utf8'), 'old', 'somebody reads it meanwhile')
  t.is(readFileSync(file, 'utf8'), 'new')
  t.is(statSync(file).mode & 0o777, 0o640)
  symlinkSync('made', dangling)
  checkReplaceable(dangling)
  replaceFile(dangling, 'new')
  t.true(lstatSync(link).isSymbolicLink() && lstatSync(dangling).isSymbolicLink())
  t.deepEqual(readdirSync(folder).sort(), ['dangling', 'file', 'link', 'made'])
})

test('replaceFile() keeps the old content where the new one cannot be written, and leaves nothing behind', (t) => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'file')
  writeFileSync(file, 'old')
  symlinkSync('/dev/full', `${file}.part`) // as a full disk
  t.throws(() => { replaceFile(file, 'new') }, { code: 'ENOSPC' })
  t.is(readFileSync(file, 'utf8'), 'old')
  t.deepEqual(readdirSync(folder), ['file'])
  t.throws(() => { checkReplaceable(join(folder, 'missing', 'file')) }, { code: 'ENOENT' })
  mkdirSync(join(folder, 'sub'))
  t.throws(() => { checkReplaceable(join(folder, 'sub')) }, { code: 'EISDIR' })
})

const fifo = spawnSync('mkfifo', ['--version']).status === 0 ? test : test.skip

fifo('replaceFile() writes to a pipe and to a descriptor as they are', async (t) => {
  const folder = temporaryFolder(t)
  const [pipe, file] = [join(folder, 'pipe'), join(folder, 'file')]
  spawnSync('mkfifo', [pipe])
  const reader = spawn('cat', [pipe])
  t.teardown(() => { reader.kill() })
  const read = once(reader.stdout, 'data')
  checkReplaceable(pipe)
  replaceFile(pipe, 'through')
  t.is(String((await read)[0]), 'through')
  t.true(statSync(pipe).isFIFO())
  writeFileSync(file, 'before ')
  const descriptor = openSync(file, 'a')
  t.teardown(() => { closeSync(descriptor) })
  const path = `/dev/fd/${descriptor}`
  checkReplaceable(path)
  replaceFile(path, 'after')
  t.is(readFileSync(file, 'utf8'), 'before after')
})
