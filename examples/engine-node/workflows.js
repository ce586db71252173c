// The workflows: every function that is exported is one, by its name.
import { setTimeout as sleep } from 'node:timers/promises'
import { Permanent } from './gateway/engine.js'

// greet reads its input and what happened.
export async function greet({ input, event }) {
  return `hello ${input?.name ?? 'world'}, thank you for ${event.type}`
}

// nap takes long, and stops at once when it is told to.
export async function nap(run) {
  run.progress('sleeping', 'for two minutes', 0)
  await sleep(120_000, undefined, { signal: run.signal })
  return 'well rested'
}

// approve asks somebody. The run holds no place while it waits.
export async function approve(run) {
  const answer = await run.wait('Go on?', { type: 'boolean' })
  if (answer !== true) throw new Permanent('refused') // trying again can't help
  return 'approved'
}
