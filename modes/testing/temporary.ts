import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

/** A folder that is removed with the test. Its name is short: Unix socket paths have to fit below it. */
export function temporaryFolder (t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tb'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  return folder
}
