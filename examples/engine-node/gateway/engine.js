// The engine contract (engine.proto), spoken for plain functions. Change it as
// you like: the contract stays, and `gateway engines check` tries it.
//
// Delivery is at least once: the same run may be started again after a crash of
// either side, always with the same `run.key`.
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { selfSigned } from './certificate.js'
import { log, text } from './log.js'
import { Runs } from './runs.js'

export { log }
export { Permanent, RetryAfter } from './runs.js'

const COOKIE = 'b1a5c2f0-engine-v1'
const MIB = 1 << 20

// serve serves workflows, functions by name, to the gateway that started this
// program. configure(config, baseDir) takes the `config:` of gateway.yaml, and
// returns problems, [{ path: ['a', '0'], message }], or nothing.
export function serve({ name, version, workflows, configure = refuse }) {
  if (process.env.EVENT_GATEWAY_ENGINE !== COOKIE) {
    process.stderr.write(`${name} is a workflow engine: the event gateway starts it, people don't. Name it in gateway.yaml.\n`)
    process.exit(1)
  }
  const limit = Number(process.env.GATEWAY_MAX_MESSAGE_BYTES) || 64 * MIB
  const runs = new Runs(new Map(Object.entries(workflows)), limit)
  const server = new grpc.Server({
    'grpc.max_receive_message_length': limit + MIB, // its own limit is 4 MiB
    'grpc.max_send_message_length': limit + MIB,
  })
  server.addService(engineService(), handlers({ name, version, runs, configure }))
  server.addService(raw('/grpc.health.v1.Health/Check'), { call: (_, done) => done(null, Buffer.from([8, 1])) }) // SERVING
  server.addService(raw('/plugin.GRPCController/Shutdown'), {
    call: (_, done) => { done(null, Buffer.alloc(0)); setImmediate(stop, runs, 0) },
  })
  process.on('SIGINT', () => {}) // a terminal's Ctrl-C is the gateway's affair
  const parent = process.ppid
  setInterval(() => { if (process.ppid !== parent) stop(runs, 1) }, 1000)
  listen(server)
}

// listen prints the handshake: the first line on the standard output.
function listen(server) {
  const path = join(process.env.PLUGIN_UNIX_SOCKET_DIR || tmpdir(), `engine-${randomUUID().slice(0, 8)}`)
  const { credentials, certificate } = security(process.env.PLUGIN_CLIENT_CERT)
  server.bindAsync(`unix:${path}`, credentials, (error) => {
    if (error) throw error
    process.stdout.write(`1|1|unix|${path}|grpc|${certificate}\n`)
  })
}

// security is mutual TLS when the gateway sends its certificate: it is the only
// one that is let in.
function security(gateway) {
  if (!gateway) return { credentials: grpc.ServerCredentials.createInsecure(), certificate: '' }
  const own = selfSigned('localhost')
  const pair = { private_key: Buffer.from(own.key), cert_chain: Buffer.from(own.pem) }
  return {
    credentials: grpc.ServerCredentials.createSsl(Buffer.from(gateway), [pair], true),
    certificate: own.der.toString('base64').replace(/=+$/, ''),
  }
}

// stop ends the runs, and the process when they have ended or in a moment.
async function stop(runs, code) {
  setTimeout(() => process.exit(code), 1500)
  await runs.stop('the engine stops')
  process.exit(code)
}

function engineService() {
  const proto = fileURLToPath(new URL('../engine.proto', import.meta.url))
  const loaded = loadSync(proto, { longs: Number, enums: String, defaults: true, oneofs: true })
  return loaded['engine.v1.EngineService']
}

// raw is a service of one method whose messages are bytes.
const raw = (path) => ({
  call: {
    path, requestStream: false, responseStream: false,
    requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b,
  },
})

function handlers({ name, version, runs, configure }) {
  const answer = (f) => (call, done) => Promise.resolve(call.request).then(f).then((m) => done(null, m), (error) => {
    log('error', error.stack)
    done({ code: grpc.status.FAILED_PRECONDITION, details: text(error.message) })
  })
  return {
    Describe: answer(() => ({
      name, version, abilities: ['ABILITY_CHECK'], workflows: [...runs.workflows.keys()].map((w) => ({ name: w })),
    })),
    Configure: answer(async (m) => ({
      problems: (await configure(JSON.parse(m.config.toString() || 'null'), m.baseDir)) ?? [],
    })),
    Check: answer((m) => ({
      problems: runs.workflows.has(m.workflow) ? [] : [{ message: text(`unknown workflow ${JSON.stringify(m.workflow)}`) }],
    })),
    Get: answer((m) => runs.get(m.key)),
    Run: (stream) => runs.serve(stream),
  }
}

function refuse(config) {
  if (config === null || Object.keys(config).length === 0) return []
  return [{ message: 'this engine takes no configuration' }]
}
