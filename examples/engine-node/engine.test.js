import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { greet } from './workflows.js'

test('a workflow is a function', async () => {
  const said = await greet({ input: { name: 'Ada' }, event: { type: 'user.created' } })
  assert.equal(said, 'hello Ada, thank you for user.created')
})

// GATEWAY says where the gateway is, when it isn't in the PATH.
test('the program is an engine', () => {
  const check = spawnSync(process.env.GATEWAY ?? 'gateway', ['engines', 'check'], { encoding: 'utf8' })
  assert.equal(check.status, 0, `${check.error ?? ''}${check.stdout}${check.stderr}`)
})
