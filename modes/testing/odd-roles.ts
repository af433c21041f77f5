import { startProcess } from '../roles/processes.js'
import type { Launch } from '../roles/role-handle.js'
import { startThread } from '../roles/threads.js'

const ENTRY_POINT = new URL('../../workers/testing/odd-role.js', import.meta.url)

/** Ways to launch a role that behaves oddly (see `workers/testing/odd-role.ts`), whatever its name. */
export const ODD_LAUNCHES: ReadonlyArray<readonly [mode: string, launch: Launch]> = [
  ['threads', (name) => startThread(ENTRY_POINT, name)],
  ['processes', () => startProcess(ENTRY_POINT)]
]
