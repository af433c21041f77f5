import { Snapshot } from './snapshot.js'

/**
 * One side of a protocol: a program whose every step touches shared memory at most once, and by `Atomics`, which is how
 * it is noticed.
 */
export interface Actor {
  readonly name: string
  /** In how many ways it can go on; 0: it waits for the other one, or has ended. */
  choices (): number
  /** Goes on by one step. Returns what it did, for people. Throws a `Violation` where it finds what must not be. */
  step (choice: number): string
}

export interface Model {
  readonly actors: readonly Actor[]
  /** All that changes, actors and shared memory; see `Snapshot`. */
  readonly parts: readonly object[]
  /** Throws a `Violation`. Called in every state. */
  check (): void
  /**
   * All work is done. From every state there must be a way to such a one: else something was lost, or both wait for
   * each other.
   */
  isDone (): boolean
  /** Throws a `Violation`. Called where no actor can go on. */
  checkRest (): void
}

export class Violation extends Error {}

export interface Exploration {
  readonly states: number
  readonly transitions: number
  /** null: nothing is wrong in any order there is. */
  readonly failure: Failure | null
}

export interface Failure {
  readonly message: string
  /** One shortest way there. */
  readonly schedule: readonly string[]
}

/** A bound against a model that never ends. */
const MAX_STATES = 4_000_000

/**
 * Runs the actors' steps in every order there is, as a breadth-first search over states, which are visited once each
 * however many ways lead there. Between two steps is where another thread may come; sequential consistency is what
 * Atomics promise. A step that touches nothing shared commutes with all steps of the others, so one order stands for
 * all (Godefroid, "Partial-order methods for the verification of concurrent systems", 1996).
 */
export function explore (model: Model): Exploration {
  const snapshot = new Snapshot(model.parts)
  const first = snapshot.save()
  const ids = new Map<string, number>([[first, 0]])
  const states = [first]
  /** How a state was reached first: from which one, by what. */
  const parents = [-1]
  const moves = [0]
  const edges: number[] = []
  const done: number[] = []
  const { actors } = model

  const counter = countAccesses()

  const replay = (path: readonly number[]): string[] => {
    snapshot.load(first)
    return path.map((move) => {
      const actor = actors[move >> 8]!
      try {
        return `${actor.name}: ${actor.step(move & 0xFF)}`
      } catch (error) {
        return `${actor.name}: ${(error as Error).message}`
      }
    })
  }
  const fail = (message: string, id: number, ...path: number[]): Exploration => {
    for (let at = id; at > 0; at = parents[at]!) path.push(moves[at]!)
    return {
      states: states.length,
      transitions: edges.length / 2,
      failure: { message, schedule: replay(path.reverse()) }
    }
  }
  /** All steps of one actor from state `id`. Returns whether none of them touches shared memory. */
  const expand = (
    id: number,
    actor: number,
    choices: number,
    into: Array<{ move: number; state: string }>
  ): boolean => {
    let isLocal = true
    for (let choice = 0; choice < choices; choice++) {
      const move = (actor << 8) | choice
      snapshot.load(states[id]!)
      counter.count = 0
      try {
        const label = actors[actor]!.step(choice)
        if (counter.count > 1) throw new Violation(`${label}: touches shared memory ${counter.count} times in one step`)
        isLocal &&= counter.count === 0
        model.check()
      } catch (error) {
        throw new BadMove((error as Error).message, move)
      }
      into.push({ move, state: snapshot.save() })
    }
    return isLocal
  }
  const successors = (id: number): Array<{ move: number, state: string }> => {
    snapshot.load(states[id]!)
    if (model.isDone()) done.push(id)
    const choices = actors.map((actor) => actor.choices())
    if (choices.every((count) => count === 0)) model.checkRest()
    const all: Array<{ move: number, state: string }> = []
    for (let actor = 0; actor < actors.length; actor++) {
      if (choices[actor] === 0) continue
      const own: typeof all = []
      if (expand(id, actor, choices[actor]!, own)) return own
      all.push(...own)
    }
    return all
  }

  try {
    for (let id = 0; id < states.length; id++) {
      let next
      try {
        next = successors(id)
      } catch (error) {
        return error instanceof BadMove ? fail(error.message, id, error.move) : fail((error as Error).message, id)
      }
      for (const { move, state } of next) {
        let nextId = ids.get(state)
        if (nextId === undefined) {
          nextId = states.length
          ids.set(state, nextId)
          states.push(state)
          parents.push(id)
          moves.push(move)
        }
        edges.push(id, nextId)
      }
      if (states.length > MAX_STATES) {
        throw new Error(`Cannot explore this model: it has more than ${MAX_STATES} states: make it smaller`)
      }
    }
    const lost = firstWithoutWayTo(done, edges, states.length)
    if (lost >= 0) return fail('there is no way from here to the end of the work', lost)
    return { states: states.length, transitions: edges.length / 2, failure: null }
  } finally {
    counter.restore()
    snapshot.load(first)
  }
}

class BadMove extends Error {
  readonly move: number

  constructor (message: string, move: number) {
    super(message)
    this.move = move
  }
}

/** The first state, in order of discovery, from which none of `goals` can be reached; -1: there is none. */
function firstWithoutWayTo (goals: readonly number[], edges: readonly number[], states: number): number {
  const starts = new Int32Array(states + 2)
  for (let e = 0; e < edges.length; e += 2) starts[edges[e + 1]! + 2]!++
  for (let i = 2; i < starts.length; i++) starts[i]! += starts[i - 1]!
  const sources = new Int32Array(edges.length / 2)
  for (let e = 0; e < edges.length; e += 2) sources[starts[edges[e + 1]! + 1]!++] = edges[e]!
  const reaches = new Uint8Array(states)
  const stack = [...goals]
  for (const goal of goals) reaches[goal] = 1
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    for (let i = starts[state]!; i < starts[state + 1]!; i++) {
      const source = sources[i]!
      if (reaches[source] === 1) continue
      reaches[source] = 1
      stack.push(source)
    }
  }
  return reaches.indexOf(0)
}

/** Counts atomic accesses from here on, until `restore()`. */
function countAccesses (): { count: number, restore (): void } {
  const { load, store, exchange, add } = Atomics
  const counter = {
    count: 0,
    restore () { Object.assign(Atomics, { load, store, exchange, add }) }
  }
  Object.assign(Atomics, {
    load (words: Int32Array, index: number) {
      counter.count++
      return load(words, index)
    },
    store (words: Int32Array, index: number, value: number) {
      counter.count++
      return store(words, index, value)
    },
    exchange (words: Int32Array, index: number, value: number) {
      counter.count++
      return exchange(words, index, value)
    },
    add (words: Int32Array, index: number, value: number) {
      counter.count++
      return add(words, index, value)
    }
  })
  return counter
}

/** A schedule for people, in the order of events. */
export function printSchedule ({ message, schedule }: Failure): string {
  return [...schedule.map((line, i) => `${String(i + 1).padStart(3)}  ${line}`), `     => ${message}`].join('\n')
}
