/**
 * A protocol between two threads, as numbered steps with names: each touches shared memory at most once and returns
 * the next one. Running them in a row is the protocol; running those of two sides in every order there is proves it
 * (endpoint.test.ts).
 */
export type Steps<M> = Readonly<Record<number, (machine: M) => number>>

export const DONE = -1

export function runSteps<M> (steps: Steps<M>, machine: M): void {
  for (let at = 0; at !== DONE;) at = steps[at]!(machine)
}

/** For people: `stepNames(SleepStep)[0]` is "set word". */
export function stepNames (steps: Readonly<Record<string, number>>): readonly string[] {
  return Object.keys(steps).map((name) => name.toLowerCase().replaceAll('_', ' '))
}
