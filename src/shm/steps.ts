/**
 * A protocol between two threads, as steps: each touches shared memory at most once and names the next one. Running
 * them in a row is the protocol; running those of two sides in every order there is proves it (endpoint.test.ts).
 */
export type Step<M> = (machine: M) => number

export const DONE = -1

export function runSteps<M> (steps: ReadonlyArray<Step<M>>, machine: M): void {
  for (let at = 0; at !== DONE;) at = steps[at]!(machine)
}
