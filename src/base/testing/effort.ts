/**
 * How much the tests try. `npm test` is quick. `FULL_TESTS=1`, as continuous integration runs it, takes every
 * combination and more repetitions; `SLOW_TESTS=1` (`npm run test:slow`) the full length. What is tested is the same.
 */
export type Effort = 'quick' | 'full' | 'slow'

export const EFFORT: Effort =
  process.env['SLOW_TESTS'] !== undefined ? 'slow' : process.env['FULL_TESTS'] !== undefined ? 'full' : 'quick'

/** `slow` defaults to `full`. */
export function byEffort<T> (values: { readonly quick: T, readonly full: T, readonly slow?: T }): T {
  return EFFORT === 'slow' ? values.slow ?? values.full : values[EFFORT]
}
