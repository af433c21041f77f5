import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { temporaryFolder } from './temporary.js'

/** What Node says of a package that is not there. */
const PRELOAD = `const Module = require('node:module')
const resolve = Module._resolveFilename
Module._resolveFilename = function (request, ...rest) {
  if (request === 'koffi') throw Object.assign(new Error("Cannot find module 'koffi'"), { code: 'MODULE_NOT_FOUND' })
  return resolve.call(this, request, ...rest)
}
`

/** Environment of a program, and of all that it starts, for which koffi is not installed. */
export function withoutKoffi (t: ExecutionContext): { NODE_OPTIONS: string } {
  const file = join(temporaryFolder(t), 'without-koffi.cjs')
  writeFileSync(file, PRELOAD)
  return { NODE_OPTIONS: `--require=${file}` }
}
