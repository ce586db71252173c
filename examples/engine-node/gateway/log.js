// The gateway reads the standard error. A line of JSON with the strings @level
// and @message keeps its level and fields; any other line is logged as it is.
// The standard output belongs to the handshake, so console prints here too.
globalThis.console = new console.Console(process.stderr)

// log writes one line: level is debug, info, warn or error.
export function log(level, message, fields = {}) {
  const line = { ...fields, '@level': level, '@message': text(message), '@timestamp': new Date().toISOString() }
  process.stderr.write(JSON.stringify(line) + '\n')
}

// text is a sentence that is not too long to be sent.
export const text = (value) => String(value).slice(0, 8192).toWellFormed()
