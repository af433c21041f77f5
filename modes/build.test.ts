import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { temporaryFolder } from './testing/temporary.js'

interface Package {
  readonly bin: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
}

const PACKAGE = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Package

/** Like the real one it writes files that cannot be executed. */
const COMPILER = `#!/usr/bin/env node
const fs = require('node:fs')
fs.mkdirSync('dist/modes', { recursive: true })
for (const file of ${JSON.stringify(Object.values(PACKAGE.bin))}) fs.writeFileSync(file, '#!/usr/bin/env node\\n')
`

// npm makes them executable only once, when it links them: npx fails with "Permission denied" after the next build.
for (const umask of ['022', '077']) {
  test(`every build leaves commands that can be executed, with umask ${umask}`, (t) => {
    const cwd = temporaryFolder(t)
    const { bin, scripts } = PACKAGE
    writeFileSync(join(cwd, 'package.json'), JSON.stringify({ type: 'module', bin, scripts }))
    mkdirSync(join(cwd, 'node_modules', '.bin'), { recursive: true })
    writeFileSync(join(cwd, 'node_modules', '.bin', 'tsc'), COMPILER, { mode: 0o755 })
    const env = { ...process.env, PATH: `${join(cwd, 'node_modules', '.bin')}:${process.env.PATH}` }
    for (let built = 0; built < 2; built++) {
      execFileSync('/bin/sh', ['-c', `umask ${umask}; ${scripts.build}`], { cwd, env })
      for (const file of Object.values(bin)) t.is(statSync(join(cwd, file)).mode & 0o777, 0o755, file)
    }
  })
}

test('a build removes what was compiled of a source that is gone, and nothing else', (t) => {
  const cwd = temporaryFolder(t)
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ type: 'module', scripts: PACKAGE.scripts }))
  for (const folder of ['src', 'dist/src/old']) mkdirSync(join(cwd, folder), { recursive: true })
  const kept = [
    'src/kept.ts', 'dist/src/kept.js', 'dist/src/kept.d.ts', 'dist/src/kept.js.map', 'dist/tsconfig.tsbuildinfo'
  ]
  const stale = ['js', 'd.ts', 'js.map'].flatMap((end) => [`dist/src/gone.test.${end}`, `dist/src/old/kept.${end}`])
  for (const file of [...kept, ...stale]) writeFileSync(join(cwd, file), '')
  const prune = (): void => { execFileSync('npm', ['run', '--silent', 'prune-dist'], { cwd }) }
  prune()
  t.deepEqual([...kept, ...stale].filter((file) => existsSync(join(cwd, file))), kept)
  rmSync(join(cwd, 'dist'), { recursive: true })
  t.notThrows(prune, 'a clean checkout has no dist')
})
