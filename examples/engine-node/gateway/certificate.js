// A self-signed certificate (X.509, RFC 5280) for mutual TLS, made of what Node
// has: a key, a signature, and a few bytes of DER around them.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

// selfSigned makes a certificate for one DNS name, good for ten years.
export function selfSigned(name) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsaWithSHA256 = der(0x30, der(0x06, Buffer.from('2a8648ce3d040302', 'hex')))
  const commonName = der(0x30, der(0x31, der(0x30, der(0x06, Buffer.from('550403', 'hex')), der(0x0c, Buffer.from(name)))))
  const now = Date.now()
  const subjectAltName = der(0x30,
    der(0x06, Buffer.from('551d11', 'hex')),
    der(0x04, der(0x30, der(0x82, Buffer.from(name)))))
  const content = der(0x30,
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])), // serial number
    ecdsaWithSHA256,
    commonName, // of the issuer
    der(0x30, time(now - 60_000), time(now + 10 * 365 * 86_400_000)),
    commonName, // of the subject
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, subjectAltName)))
  const certificate = der(0x30, content, ecdsaWithSHA256, der(0x03, Buffer.from([0]), sign('sha256', content, privateKey)))
  const lines = certificate.toString('base64').match(/.{1,64}/g).join('\n')
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    pem: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    der: certificate,
  }
}

// der is one value: tag, length, content.
function der(tag, ...parts) {
  const content = Buffer.concat(parts)
  const size = content.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

// time is a UTCTime, YYMMDDHHMMSSZ.
function time(ms) {
  return der(0x17, Buffer.from(new Date(ms).toISOString().slice(2).replace(/[-:T]|\.\d+/g, '')))
}
