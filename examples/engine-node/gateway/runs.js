// The runs under way, by key: there are never two with one key.
import { log, text } from './log.js'

// Permanent is a failure that trying again can't help.
export class Permanent extends Error {}

// RetryAfter: something is full; the next attempt waits for so many seconds.
export class RetryAfter extends Error {
  constructor(message, seconds) {
    super(message)
    this.seconds = seconds
  }
}

export class Runs {
  constructor(workflows, limit) {
    this.workflows = workflows
    this.limit = limit
    this.live = new Map()
  }

  // serve reads one stream; when it breaks, its runs are stopped.
  serve(stream) {
    stream.on('data', ({ commands }) => { for (const c of commands) this.obey(stream, c) })
    stream.on('end', async () => {
      await Promise.allSettled(this.on(stream).map((run) => run.done))
      stream.end()
    })
    const broken = () => { for (const run of this.on(stream)) run.stop('the gateway disconnected') }
    stream.on('cancelled', broken)
    stream.on('error', broken)
  }

  on(stream) { return [...this.live.values()].filter((run) => run.stream === stream) }

  obey(stream, { command, start, cancel, answer }) {
    if (command === 'start') this.start(stream, start)
    if (command === 'cancel') this.live.get(cancel.key)?.stop(`cancelled by the gateway: ${cancel.reason}`)
    if (command === 'answer') this.answer(stream, answer)
  }

  // start runs a key. One that is under way only reports here from now on; one
  // that is being stopped is waited for.
  start(stream, message) {
    const old = this.live.get(message.key)
    if (old?.signal.aborted) {
      old.stream = null
      old.done.then(() => this.start(stream, message))
    } else if (old) {
      old.stream = stream
      old.report()
    } else {
      const run = new Run(stream, message, this.limit)
      this.live.set(run.key, run)
      run.done = run.end(this.workflows.get(run.workflow)).finally(() => this.live.delete(run.key))
    }
  }

  answer(stream, { key, input }) {
    const run = this.live.get(key)
    if (run) return run.answered?.(json(input))
    const failed = { message: 'no run with this key waits for an answer: the engine was started again since', kind: 'FAILURE_KIND_RETRYABLE' }
    stream.write({ updates: [{ key, failed }] })
  }

  get(key) {
    const run = this.live.get(key)
    if (!run || run.signal.aborted) return { unknown: {} }
    return run.waiting ? { waiting: run.waiting } : { running: { runId: run.runID } }
  }

  async stop(why) {
    const all = [...this.live.values()]
    for (const run of all) run.stop(why)
    await Promise.allSettled(all.map((run) => run.done))
  }
}

// Run is what a workflow is called with.
class Run {
  #controller = new AbortController()
  #timer

  constructor(stream, start, limit) {
    this.stream = stream // null: nobody wants to hear of it any more
    this.limit = limit
    this.key = start.key // the same for every attempt of a delivery
    this.workflow = start.workflow
    this.attempt = start.attempt
    this.input = json(start.input)
    this.event = event(start.event)
    this.deadline = date(start.deadline)
    this.runID = ''
    this.due(this.deadline && this.deadline - Date.now())
  }

  // signal is aborted when the run has to stop.
  get signal() { return this.#controller.signal }

  stop(why) { this.#controller.abort(new Error(text(why))) }

  due(milliseconds) {
    clearTimeout(this.#timer)
    if (milliseconds === undefined) return
    this.#timer = setTimeout(() => this.stop("the run's time is up"), Math.min(Math.max(milliseconds, 0), 2 ** 31 - 1))
  }

  send(update) { this.stream?.write({ updates: [{ key: this.key, ...update }] }) }

  // accept tells under which id the run exists in a system of yours.
  accept(runID) {
    this.runID = text(runID)
    this.report()
  }

  progress(step, message = '', fraction = -1) {
    this.send({ progress: { step: text(step), message: text(message), fraction } })
  }

  report() {
    if (this.runID) this.send({ accepted: { runId: this.runID } })
    if (this.waiting) this.send({ waiting: this.waiting })
  }

  // wait asks for an answer; meanwhile the deadline stands still.
  async wait(prompt, schema) {
    const left = this.deadline && this.deadline - Date.now()
    this.due(undefined)
    this.waiting = { prompt: text(prompt), schema: schema ? Buffer.from(JSON.stringify(schema)) : Buffer.alloc(0) }
    this.report()
    try {
      return await new Promise((resolve, reject) => {
        this.answered = resolve
        this.signal.addEventListener('abort', () => reject(this.signal.reason), { once: true })
        if (this.signal.aborted) reject(this.signal.reason)
      })
    } finally {
      this.waiting = this.answered = undefined
      this.due(left)
    }
  }

  // end does the run and tells how it ended.
  async end(workflow) {
    let update
    try {
      if (!workflow) throw new Permanent(`unknown workflow ${JSON.stringify(this.workflow)}`)
      update = { succeeded: { output: this.encode(await workflow(this)) } }
    } catch (error) {
      update = { failed: failed(this.signal.aborted ? this.signal.reason : error) }
    }
    clearTimeout(this.#timer)
    this.send(update)
  }

  // encode: one message that is too large would end the stream of all runs.
  encode(output) {
    const bytes = Buffer.from(output === undefined ? '' : JSON.stringify(output))
    if (bytes.length > this.limit) throw new Permanent(`output: ${bytes.length} bytes are more than the ${this.limit} that may be sent`)
    return bytes
  }
}

function failed(error) {
  const message = text(error?.message ?? error)
  if (error instanceof Permanent) return { message, kind: 'FAILURE_KIND_PERMANENT' }
  if (error instanceof RetryAfter) {
    const nanos = Math.round((error.seconds % 1) * 1e9)
    return { message, kind: 'FAILURE_KIND_THROTTLED', retryAfter: { seconds: Math.trunc(error.seconds), nanos } }
  }
  log('warn', error?.stack ?? message)
  return { message, kind: 'FAILURE_KIND_RETRYABLE' }
}

function event(e) {
  if (!e) return {}
  const map = (list) => Object.fromEntries(list.map(({ name, value }) => [name, value]))
  return {
    id: e.id, source: e.source, type: e.type, subject: e.subject, time: date(e.time), contentType: e.datacontenttype,
    body: e.body, // exactly what was sent
    get data() { return json(e.data.length ? e.data : e.body) },
    headers: map(e.headers), query: map(e.query), extensions: map(e.extensions),
  }
}

const json = (bytes) => (bytes.length ? JSON.parse(bytes.toString()) : undefined)

const date = (t) => (t ? new Date(t.seconds * 1000 + t.nanos / 1e6) : undefined)
