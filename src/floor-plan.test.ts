import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import ts from 'typescript'

/** Layers from the top down: a place imports only what stands below it, and nothing beside it. */
const LAYERS = [
  ['modes'],
  ['modes/commands', 'modes/services'],
  ['modes/options', 'modes/output'],
  ['modes/measure'],
  ['modes/roles'],
  ['modes/plan', 'modes/system'],
  ['workers'],
  ['src/index.ts'],
  ['src/tunnel', 'src/relay', 'src/origin', 'src/load', 'src/report'],
  ['src/judge'],
  ['src/analysis'],
  ['src/result'],
  ['src/mux', 'src/metrics'],
  ['src/transport'],
  ['src/engine'],
  ['src/frame', 'src/shm'],
  ['src/native'],
  ['src/base']
]

/** Where a lower layer may be seen by its interface only: who, what, and the one file that is open to it. */
const SEAMS = [
  { from: 'src/mux', to: 'src/transport', file: 'src/transport/transport.ts' },
  ...['src/tunnel', 'src/relay', 'src/load', 'src/mux', 'src/metrics', 'src/transport'].map((from) => ({
    from,
    to: 'src/engine',
    file: 'src/engine/engine.ts'
  }))
]

/**
 * Arrows that point down and are forbidden all the same: these measure or describe a tunnel, and must work without one.
 */
const FORBIDDEN = [
  'src/load',
  'src/relay',
  'src/report',
  'src/judge',
  'src/analysis',
  'src/result',
  'src/origin'
].flatMap((from) => ['src/mux', 'src/transport', 'src/frame', 'src/shm'].map((to) => ({ from, to })))

/**
 * The one file that knows each library. What is loaded by a name that is not written out counts as uWebSockets.js,
 * which is optional.
 */
const LIBRARIES: Record<string, string> = {
  'uWebSockets.js': 'src/origin/uws-origin.ts',
  'hdr-histogram-js': 'src/metrics/histogram.ts',
  koffi: 'src/native/system-calls.ts',
  ajv: 'src/result/read-result.ts',
  vega: 'src/report/plot.ts',
  'vega-lite': 'src/report/plot.ts',
  '@resvg/resvg-wasm': 'src/report/plot.ts',
  'dejavu-fonts-ttf': 'src/report/plot.ts',
  comlink: 'workers/control.ts',
  piscina: 'src/load/slice-pool.ts',
  yargs: 'modes/options/cli.ts',
  'fastest-levenshtein': 'modes/options/arguments.ts'
}

/** Modules of Node that move bytes, and where they may. Types move none. */
const NODE_MODULES: Record<string, string> = {
  'node:net': 'src/engine/',
  'node:tls': 'src/engine/',
  'node:dgram': 'src/engine/',
  'node:http': 'src/origin/',
  'node:https': 'src/origin/'
}

const MAX_LINES = 400
/** Of a folder, tests aside: more is a flat room in which nobody finds anything. */
const MAX_FILES = 20

interface Reference {
  /** A path in the project (`src/base/errors.ts`), or a module's name; null: computed when the program runs. */
  readonly target: string | null
  readonly typeOnly: boolean
}

/** What a source file refers to: imports of every kind, and files it names by `new URL(…, import.meta.url)`. */
function referencesOf (path: string, source: ts.SourceFile): Reference[] {
  const references: Reference[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean, isUrl = false): void => {
    const text = specifier !== undefined && ts.isStringLiteralLike(specifier) ? specifier.text : null
    const isRelative = text !== null && (isUrl || text.startsWith('.'))
    references.push({
      target: isRelative ? posix.join(posix.dirname(path), text).replace(/\.js$/, '.ts') : text,
      typeOnly
    })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node.moduleSpecifier, node.isTypeOnly)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    else if (
      ts.isCallExpression(node) &&
      (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText(source) === 'require')
    ) {
      add(node.arguments[0], false)
    } else if (
      ts.isNewExpression(node) &&
      node.expression.getText(source) === 'URL' &&
      /\.js['"]$/.test(node.arguments?.[0]?.getText(source) ?? '')
    ) {
      add(node.arguments?.[0], false, true)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return references
}

/** `console` and `process.exit` as code, not as words in a comment or a string. */
function forbiddenWordsOf (source: ts.SourceFile): string[] {
  const words: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === 'console') words.push('console')
    if (ts.isPropertyAccessExpression(node) && node.getText(source) === 'process.exit') words.push('process.exit')
    ts.forEachChild(node, visit)
  }
  visit(source)
  return words
}

/** The place of the floor plan that a file belongs to. */
function placeOf (path: string): string {
  const [top, next, ...more] = path.split('/')
  if (top === 'src') return `src/${next}`
  return top === 'modes' && more.length > 0 && next !== 'testing' ? `modes/${next}` : top!
}

function levelOf (place: string): number {
  return LAYERS.findIndex((layer) => layer.includes(place))
}

const isTest = (path: string): boolean => /\.test\.ts$/.test(path)
const isHelper = (path: string): boolean => path.includes('/testing/')

/**
 * Every breach of the rules in the files given by path and text. Tests may import what they like; their helpers keep
 * the layers only.
 */
function violationsOf (files: ReadonlyMap<string, string>): string[] {
  const violations: string[] = []
  for (const [path, text] of files) {
    if (isTest(path)) continue
    const report = (violation: string): void => { violations.push(`${path} ${violation}`) }
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
    const lines = text.split('\n').length - 1
    if (lines > MAX_LINES) report(`has ${lines} lines`)
    if (!path.startsWith('modes/') && !isHelper(path)) {
      for (const word of new Set(forbiddenWordsOf(source))) report(`uses ${word}`)
    }
    if (levelOf(placeOf(path)) < 0) report('has no place in the plan')
    for (const { target, typeOnly } of referencesOf(path, source)) {
      if (target !== null && /^(src|workers|modes)\//.test(target)) checkArrow(path, target, report)
      else if (!isHelper(path)) checkModule(path, target, typeOnly, report)
    }
  }
  return [...violations, ...flatRoomsIn([...files.keys()]), ...circlesIn(files)]
}

function flatRoomsIn (paths: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const path of paths.filter((path) => !isTest(path) && !isHelper(path))) {
    counts.set(posix.dirname(path), (counts.get(posix.dirname(path)) ?? 0) + 1)
  }
  return [...counts].filter(([, count]) => count > MAX_FILES).map(([folder, count]) => `${folder} has ${count} files`)
}

/** Files that import each other, types included: each shortest way back to a file that no other circle has told. */
function circlesIn (files: ReadonlyMap<string, string>): string[] {
  const targetsOf = new Map([...files].filter(([path]) => !isTest(path)).map(([path, text]) => {
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
    return [
      path,
      referencesOf(path, source).flatMap(({ target }) => (target !== null && files.has(target) ? [target] : []))
    ]
  }))
  const told = new Set<string>()
  return [...targetsOf.keys()].flatMap((start) => {
    const circle = told.has(start) ? null : wayBack(start, targetsOf)
    for (const path of circle ?? []) told.add(path)
    return circle === null ? [] : [`${[...circle, start].join(' → ')} is a circle`]
  })
}

function wayBack (start: string, targetsOf: ReadonlyMap<string, readonly string[]>): string[] | null {
  const ways = [[start]]
  const seen = new Set<string>()
  for (const way of ways) {
    for (const target of targetsOf.get(way.at(-1)!) ?? []) {
      if (target === start) return way
      if (!seen.has(target)) ways.push([...way, target])
      seen.add(target)
    }
  }
  return null
}

function checkArrow (path: string, target: string, report: (violation: string) => void): void {
  const [from, to] = [placeOf(path), placeOf(target)]
  if (isTest(target) || (isHelper(target) && !isHelper(path))) report(`imports ${target}, which is for tests`)
  if (from === to) return
  if (levelOf(to) <= levelOf(from)) report(`imports ${target}, which is not below it`)
  if (FORBIDDEN.some((arrow) => arrow.from === from && arrow.to === to)) {
    report(`imports ${target}, which it must not know`)
  }
  const seam = SEAMS.find((one) => one.from === from && one.to === to)
  if (seam !== undefined && target !== seam.file && !isHelper(path)) {
    report(`imports ${target} and not the interface ${seam.file}`)
  }
}

function checkModule (
  path: string,
  target: string | null,
  typeOnly: boolean,
  report: (violation: string) => void
): void {
  if (target?.startsWith('node:') === true) {
    const home = NODE_MODULES[target]
    if (home !== undefined && !typeOnly && !path.startsWith(home)) report(`imports ${target}, which belongs to ${home}`)
    return
  }
  const library =
    target === null
      ? 'uWebSockets.js'
      : target
        .split('/')
        .slice(0, target.startsWith('@') ? 2 : 1)
        .join('/')
  const home = LIBRARIES[library]
  if (home === undefined) report(`imports ${library}, which is no library of this program`)
  else if (home !== path) report(`imports ${target ?? 'a computed name'}, which only ${home} does`)
}

const ROOT = new URL('../../', import.meta.url)

function readSources (): Map<string, string> {
  const paths = ['src', 'workers', 'modes'].flatMap((top) =>
    readdirSync(new URL(top, ROOT), { recursive: true, encoding: 'utf8' }).map((path) => posix.join(top, path))
  )
  return new Map(
    paths.filter((path) => path.endsWith('.ts')).map((path) => [path, readFileSync(new URL(path, ROOT), 'utf8')])
  )
}

test('the floor plan holds for every source file', (t) => {
  const files = readSources()
  t.true(files.size > 50 && files.has('src/base/errors.ts') && files.has('src/floor-plan.test.ts'))
  t.deepEqual(violationsOf(files), [])
})

test('the floor plan knows every library that is installed with the program', (t) => {
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(new URL('package.json', ROOT), 'utf8')
  ) as Record<string, Record<string, string>>
  t.deepEqual(
    Object.keys(LIBRARIES).sort(),
    [...Object.keys(dependencies!), ...Object.keys(optionalDependencies!)].sort()
  )
  const files = readSources()
  for (const [library, path] of Object.entries(LIBRARIES)) {
    t.regex(files.get(path) ?? '', new RegExp(library), `${path} no longer knows ${library}`)
  }
})

const planted: Array<[path: string, text: string, violation: string]> = [
  ['src/base/a.ts', "import { b } from '../frame/b.js'", 'imports src/frame/b.ts, which is not below it'],
  ['src/load/a.ts', "import { b } from '../tunnel/b.js'", 'imports src/tunnel/b.ts, which is not below it'],
  ['src/report/a.ts', "export { b } from '../load/b.js'", 'imports src/load/b.ts, which is not below it'],
  ['src/mux/a.ts', "const b = await import('../metrics/b.js')", 'imports src/metrics/b.ts, which is not below it'],
  ['src/engine/a.ts', "type B = import('../transport/b.js').B", 'imports src/transport/b.ts, which is not below it'],
  [
    'src/load/a.ts',
    "new Worker(new URL('../../workers/load.js', import.meta.url))",
    'imports workers/load.ts, which is not below it'
  ],
  ['src/tunnel/a.ts', "import { b } from '../index.js'", 'imports src/index.ts, which is not below it'],
  ['workers/a.ts', "import { b } from '../modes/b.js'", 'imports modes/b.ts, which is not below it'],
  ['src/frame/testing/a.ts', "import { b } from '../../mux/b.js'", 'imports src/mux/b.ts, which is not below it'],
  ['src/load/a.ts', "import type { B } from '../mux/b.js'", 'imports src/mux/b.ts, which it must not know'],
  [
    'src/mux/a.ts',
    "import { b } from '../transport/memory/b.js'",
    'imports src/transport/memory/b.ts and not the interface src/transport/transport.ts'
  ],
  [
    'src/transport/a.ts',
    "import { b } from '../engine/node/b.js'",
    'imports src/engine/node/b.ts and not the interface src/engine/engine.ts'
  ],
  ['src/mux/a.ts', "import { b } from './testing/b.js'", 'imports src/mux/testing/b.ts, which is for tests'],
  ['src/mux/a.ts', "import { b } from './b.test.js'", 'imports src/mux/b.test.ts, which is for tests'],
  ['src/cellar/a.ts', '', 'has no place in the plan'],
  ['src/load/a.ts', "import net from 'node:net'", 'imports node:net, which belongs to src/engine/'],
  ['src/load/a.ts', "import { type Socket } from 'node:net'", 'imports node:net, which belongs to src/engine/'],
  ['src/engine/node/a.ts', "import http from 'node:http'", 'imports node:http, which belongs to src/origin/'],
  ['modes/a.ts', "import { request } from 'node:http'", 'imports node:http, which belongs to src/origin/'],
  [
    'src/report/a.ts',
    "import { build } from 'hdr-histogram-js'",
    'imports hdr-histogram-js, which only src/metrics/histogram.ts does'
  ],
  [
    'modes/a.ts',
    "import { hideBin } from 'yargs/helpers'",
    'imports yargs/helpers, which only modes/options/cli.ts does'
  ],
  [
    'src/origin/a.ts',
    "const uws = require('uWebSockets.js')",
    'imports uWebSockets.js, which only src/origin/uws-origin.ts does'
  ],
  ['src/origin/a.ts', 'await import(name)', 'imports a computed name, which only src/origin/uws-origin.ts does'],
  ['src/base/a.ts', "import fc from 'fast-check'", 'imports fast-check, which is no library of this program'],
  ['workers/a.ts', "console.log('here')", 'uses console'],
  ['src/base/a.ts', 'globalThis.console.error()', 'uses console'],
  ['src/base/a.ts', 'if (bad) process.exit(1)', 'uses process.exit'],
  ['src/base/a.ts', '\n'.repeat(401), 'has 401 lines']
]

for (const [path, text, violation] of planted) {
  test(`the floor plan finds that ${path} ${violation}, from: ${text.trim().slice(0, 60)}`, (t) => {
    t.deepEqual(violationsOf(new Map([[path, text]])), [`${path} ${violation}`])
  })
}

const allowed: Array<[path: string, text: string]> = [
  ['src/index.ts', "export { a } from './tunnel/a.js'\nexport { b } from './engine/node/b.js'"],
  ['modes/a.ts', "import { b } from '../src/report/b.js'\nconsole.log('done')\nprocess.exit(0)"],
  ['src/mux/a.ts', "import { b } from './b.js'\nimport type { Transport } from '../transport/transport.js'"],
  [
    'src/mux/testing/a.ts',
    "import { b } from '../../transport/memory/b.js'\nimport fc from 'fast-check'\nimport net from 'node:net'"
  ],
  ['src/base/a.test.ts', "import { b } from '../tunnel/b.js'\nimport net from 'node:net'\nconsole.log()"],
  ['workers/a.ts', "new URL('b.js', import.meta.url)"],
  ['src/origin/a.ts', "import type { Server } from 'node:net'\nimport http from 'node:http'"],
  ['src/base/a.ts', "// console.log() and process.exit() are words here: 'node:net'\nexport const b = 'console'\n"],
  ['src/base/a.ts', '\n'.repeat(400)]
]

for (const [path, text] of allowed) {
  test(`the floor plan allows ${path}: ${text.trim().slice(0, 60).replaceAll('\n', '; ')}`, (t) => {
    t.deepEqual(violationsOf(new Map([[path, text]])), [])
  })
}
