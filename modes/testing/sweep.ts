import type { LoadJob, LoadResult } from '../../src/load/job.js'
import type { SweepOptions } from '../../src/result/sweep-result.js'
import { type Roles, RoleSupervisor } from '../roles/role-supervisor.js'
import { resolveSweepOptions } from '../options/sweep-options.js'
import { SweepRunner, type SweepStep } from '../measure/sweep-runner.js'

type Measure = (transport: string, job: Omit<LoadJob, 'target'>) => Promise<LoadResult>

const never = new AbortController().signal

export function optionsOf (given: Record<string, string> = {}): SweepOptions {
  return resolveSweepOptions({ seed: '1', ...given }).options
}

/** A sweep that is over, with `measure` in the place of all roles. */
export async function sweepWith (
  options: SweepOptions,
  measure: Measure,
  signal: AbortSignal = never
): Promise<{ runner: SweepRunner; steps: SweepStep[] }> {
  const steps: SweepStep[] = []
  const runner = new SweepRunner(
    options,
    new RoleSupervisor(rolesOf(measure), () => {}, signal),
    {
      onStart: () => {},
      onStep: (step) => {
        steps.push(step)
      }
    }
  )
  await runner.run()
  return { runner, steps }
}

function rolesOf (measure: Measure): () => Roles {
  return () => ({
    engine: 'node',
    engineNote: null,
    server: 'node',
    serverNote: null,
    start: async () => {},
    measure: async (transport, job) => ({ result: await measure(transport, job), cpu: {}, tunnel: null }),
    countSystemCalls: async () => ({ responses: 0, calls: {} }),
    close: async () => {},
    closeNow: async () => {}
  })
}
