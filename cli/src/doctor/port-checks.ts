import { connect, createServer } from 'node:net'
import { localUrl, reachable } from '../local-url.ts'
import { type Check, type Finding, fail, ok, type Patient } from './check.ts'

/** Ours and answering, or free. */
export const portCheck: Check = {
  name: 'ports',
  async run(patient): Promise<Finding[]> {
    const { config } = patient
    const wanted = [
      { setting: 'gateway.port', host: config.gateway.host, port: config.gateway.port, ours: patient.ports?.gateway },
      { setting: 'metrics.port', host: config.metrics.host, port: config.metrics.port, ours: patient.ports?.metrics },
    ]
    return Promise.all(wanted.map(one => (patient.pid === undefined ? beFree(one) : answer(one))))
  },
}

interface Wanted {
  setting: string
  host: string
  port: number
  ours: number | undefined
}

async function beFree({ setting, host, port }: Wanted): Promise<Finding> {
  if (port === 0) return ok(`${setting} takes any free port.`)
  const fault = await new Promise<NodeJS.ErrnoException | undefined>(resolve => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
  if (fault === undefined) return ok(`${setting}: ${host}:${port} is free.`)
  const found = `${setting} must be free to open. Found: ${host}:${port}: ${fault.message}.`
  if (fault.code === 'EADDRINUSE')
    return fail(
      found,
      `Stop what listens there (ss -ltnp 'sport = :${port}'), or choose another port: --set ${setting}=….`,
    )
  if (fault.code === 'EACCES')
    return fail(
      found,
      'Ports below 1024 need a right of their own: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit. The server has it then; a doctor run by hand has not.',
    )
  return fail(found, `Choose an address of this machine: --set ${setting.replace('port', 'host')}=0.0.0.0.`)
}

async function answer({ setting, host, ours }: Wanted): Promise<Finding> {
  if (ours === undefined)
    return fail(
      `${setting}: the running process has not said which port it has.`,
      'It is starting, or another version wrote state/ports.json: look at its log.',
    )
  const fault = await new Promise<Error | undefined>(resolve => {
    const socket = connect({ host: reachable(host), port: ours, timeout: 5000 }, () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', resolve)
    socket.once('timeout', () => {
      socket.destroy()
      resolve(new Error('no answer within 5 s'))
    })
  })
  return fault === undefined
    ? ok(`${setting}: the running process takes connections on ${ours}.`)
    : fail(
        `${setting}: the running process takes no connection on ${ours}. Found: ${fault.message}.`,
        'Look at its log, and restart it.',
      )
}

/** What the running process says on a path of its metrics port; undefined when it says nothing within 5 s. */
export async function askHealth(
  { config, ports }: Patient,
  path: string,
): Promise<{ status: number; body: string } | undefined> {
  if (ports === undefined) return undefined
  try {
    const response = await fetch(localUrl(config.metrics.host, ports.metrics) + path, {
      signal: AbortSignal.timeout(5000),
    })
    return { status: response.status, body: await response.text() }
  } catch {
    return undefined
  }
}
