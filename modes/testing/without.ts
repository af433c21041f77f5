import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { temporaryFolder } from './temporary.js'

/** `require('koffi')` ends in `outcome`, which may call `load`. */
const koffiBecomes = (outcome: string): string => `const Module = require('node:module')
const load = Module._load
Module._load = function (request, ...rest) {
  return request === 'koffi' ? become(() => load.call(this, request, ...rest)) : load.call(this, request, ...rest)
}
function become (load) { ${outcome} }
`

/** koffi, but a system call that has `name` in its prototype fails with `errno` where `condition` on `args` holds. */
const failingCall = (name: string, errno: number, result: number, condition = 'true'): string => koffiBecomes(`
  const koffi = load()
  let failed = false
  const func = (lib, prototype) => {
    const call = lib.func(prototype)
    if (!prototype.includes('${name}')) return call
    return (...args) => {
      if (!(${condition})) return call(...args)
      failed = ${result} < 0
      return ${result}
    }
  }
  return {
    load: (path) => {
      const lib = koffi.load(path)
      return { func: (prototype) => func(lib, prototype) }
    },
    errno: () => {
      if (!failed) return koffi.errno()
      failed = false
      return ${errno}
    },
    view: (...args) => koffi.view(...args)
  }`)

const EPERM = 1
const ENOSPC = 28

const MODULES = {
  /** What Node says of a package that is not there. */
  koffi: koffiBecomes('throw Object.assign(new Error("Cannot find module \'koffi\'"), { code: "MODULE_NOT_FOUND" })'),
  /** Installed for another C library or processor. */
  'koffi\'s binary': koffiBecomes('throw new Error("libc.musl-x86_64.so.1: cannot open shared object file")'),
  /** Forbidden, as in some containers. */
  memfd: failingCall('memfd_create', EPERM, -1),
  /** There are 32 MiB, less than a segment of the standard sizes has. */
  memory: failingCall('posix_fallocate', ENOSPC, ENOSPC, 'args[2] > 32 * 1024 * 1024'),
  'uWebSockets.js': `require('node:module').register('data:text/javascript,' + encodeURIComponent(\`
    export async function resolve (name, context, next) {
      if (name === 'uWebSockets.js') throw new Error('Cannot find package')
      return next(name, context)
    }\`))`
} as const

export type Part = keyof typeof MODULES

/** Environment of a program, and of all that it starts, on a machine that lacks `part`. */
export function without (t: ExecutionContext, part: Part): { NODE_OPTIONS: string } {
  const file = join(temporaryFolder(t), 'without.cjs')
  writeFileSync(file, MODULES[part])
  return { NODE_OPTIONS: `--require=${file}` }
}
