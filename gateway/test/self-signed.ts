import { execFileSync } from 'node:child_process'
import { renameSync } from 'node:fs'

/** Whether openssl, which makes the certificates of the tests, is installed. */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Makes a certificate for `localhost` that signed itself, and its key; both appear by rename, the key first. */
export function selfSigned({ cert, key }: { cert: string; key: string }, commonName: string): void {
  const made = ['-keyout', `${key}.new`, '-out', `${cert}.new`, '-subj', `/CN=${commonName}`]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30']
  execFileSync('openssl', ['req', '-x509', ...kind, ...made, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'], {
    stdio: 'ignore',
  })
  renameSync(`${key}.new`, key)
  renameSync(`${cert}.new`, cert)
}
