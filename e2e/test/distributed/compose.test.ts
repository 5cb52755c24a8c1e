import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findProgram, serviceOrSkip } from '@headwater/testkit'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { configSchema, settings } from '../../../cli/src/config.ts'

const run = promisify(execFile)

/** What this file looks at of a service. */
interface Service {
  image: string
  build?: string
  user?: string
  command?: string[]
  entrypoint?: string[]
  environment?: Record<string, string | number>
  healthcheck?: { test?: string[]; disable?: boolean }
  restart?: string
  profiles?: string[]
  ports?: string[]
  networks?: string[]
  volumes?: (string | { type: string; source: string; target: string; read_only?: boolean })[]
  depends_on?: Record<string, { condition: string }> | []
  cap_drop?: string[]
}

const root = fileURLToPath(new URL('../../..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>
  volumes: Record<string, unknown>
  networks: Record<string, { internal?: boolean }>
}
const services = Object.entries(compose.services)
const jobs = services.filter(([, service]) => service.healthcheck?.disable === true)
const settingNames = new Set(settings().map(({ variable }) => variable))

describe('docker-compose.yml', () => {
  it('every service has an image of one version, and is no root', () => {
    for (const [name, { image, build, user, cap_drop }] of services) {
      expect(image, name).toMatch(/^[\w./-]+:v?\d+\.\d+\.\d+$/)
      if (image.startsWith('headwater')) expect(build, name).toBeDefined()
      expect(user, name).toMatch(/^(?!root|0\b)\w+(:(?!0\b)\d+)?$/)
      expect(cap_drop, name).toEqual(['ALL'])
    }
  })

  it('every image that is built begins with one version, and ends as another user than root', () => {
    const folders = new Set(services.flatMap(([, { build }]) => (build === undefined ? [] : [build])))
    expect(folders.size).toBe(4)
    for (const folder of folders) {
      const lines = read(join(folder, 'Dockerfile')).split('\n')
      for (const line of lines.filter(line => line.startsWith('FROM ')))
        expect(line).toMatch(/^FROM [\w/]+:[\d.]+\.\d[\w.-]*( AS \w+)?$/)
      expect(lines.findLast(line => line.startsWith('USER '))).toMatch(/^USER (?!root|0\b)/)
    }
  })

  it('every service that runs on says how it is; jobs end, and are tried again', () => {
    for (const [name, { healthcheck, restart }] of services)
      if (healthcheck?.disable === true) expect(restart, name).toMatch(/^(on-failure|no)$/)
      else {
        expect(healthcheck?.test?.[0], name).toMatch(/^CMD(-SHELL)?$/)
        expect(restart, name).toBe('unless-stopped')
      }
    expect(jobs.map(([name]) => name)).toEqual(['topics', 'migrate', 'archive-folder', 'headwater'])
  })

  it('every file that is mounted is there, and cannot be written by the container', () => {
    let mounts = 0
    for (const [name, { volumes = [] }] of services)
      for (const volume of volumes) {
        if (typeof volume !== 'string') {
          expect(compose.volumes, name).toHaveProperty([volume.source])
          continue
        }
        const [source = '', , mode] = volume.split(':')
        if (source.startsWith('.')) {
          mounts++
          expect(existsSync(join(root, source)), `${name} mounts ${source}`).toBe(true)
          expect(mode, `${name} mounts ${source}`).toBe('ro')
        } else if (!source.startsWith('/')) expect(compose.volumes, name).toHaveProperty([source])
      }
    expect(mounts).toBeGreaterThan(15)
  })

  it('every script that is started is in a folder that is mounted', () => {
    for (const [name, { entrypoint = [], healthcheck, volumes = [] }] of services)
      for (const word of [...entrypoint, ...(healthcheck?.test ?? [])]) {
        if (!word.startsWith('/etc/headwater/')) continue
        const mount = volumes.find(
          (volume): volume is string => typeof volume === 'string' && word.startsWith(volume.split(':')[1] as string),
        )
        const [source = '', target = ''] = mount?.split(':') ?? []
        expect(existsSync(join(root, word.replace(target, source))), `${name}: ${word}`).toBe(true)
      }
  })

  it('every HEADWATER_ variable is a setting: of the command, or of fluent.conf', () => {
    const ofFluentd = new Set(Array.from(read('fluentd/fluent.conf').matchAll(/ENV\['(\w+)'\]/g), ([, name]) => name))
    for (const [service, { image, environment = {} }] of services)
      for (const name of Object.keys(environment)) {
        if (!name.startsWith('HEADWATER_')) continue
        const known = image.startsWith('headwater-fluentd:') ? ofFluentd : settingNames
        expect(known.has(name), `${service}: ${name}`).toBe(true)
      }
    for (const [, name = ''] of read('.env.example').matchAll(/^(HEADWATER_\w+)=/gm))
      expect(settingNames.has(name), `.env.example: ${name}`).toBe(true)
  })

  it('every variable that must be set stands in .env.example, and no password has a value anywhere', () => {
    const example = read('.env.example')
    for (const [, name] of read('docker-compose.yml').matchAll(/\$\{(\w+):\?/g)) expect(example).toContain(`${name}=`)
    for (const [line, value] of example.matchAll(/^\w*PASSWORD\w*=(.*)$/gm)) expect(value, line).toBe('')
    for (const [service, { environment = {} }] of services)
      for (const [name, value] of Object.entries(environment))
        if (/PASSWORD/.test(name)) expect(value, `${service}: ${name}`).toMatch(/^\$\{\w+:\?.+\}$/)
  })

  it('publishes the edges, and to its own machine Prometheus', () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map(port => `${name} ${port}`))
    expect(published).toEqual([
      // biome-ignore lint/suspicious/noTemplateCurlyInString: compose's own
      'nginx ${NGINX_PUBLISH:-8000}:8000',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: compose's own
      'gateway ${GATEWAY_PUBLISH:-8001}:8000',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: compose's own
      'prometheus ${PROMETHEUS_PUBLISH:-127.0.0.1:9090}:9090',
    ])
    expect(compose.networks.private?.internal).toBe(true)
    for (const [name, { networks }] of services)
      if (name === 'nginx' || name === 'gateway') expect(networks, name).toEqual(['edge'])
      else if (name !== 'prometheus') expect(networks, name).toEqual(['private'])
  })

  it('waits for what can be waited for: jobs to be done, services to be healthy', () => {
    const isJob = new Set(jobs.map(([name]) => name))
    for (const [name, { depends_on = {} }] of services)
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        expect(compose.services, name).toHaveProperty([needed])
        if (isJob.has(needed)) expect(condition, `${name}: ${needed}`).toBe('service_completed_successfully')
        // The NameNode is not healthy before a DataNode has reported.
        else expect(condition, `${name}: ${needed}`).toBe(name === 'datanode' ? 'service_started' : 'service_healthy')
      }
  })

  it('gives the archive’s folder to the user of the workers', () => {
    const { root: folder, user } = configSchema.parse({}).hdfs
    expect(compose.services['archive-folder']?.entrypoint?.slice(-2)).toEqual([folder, user])
  })

  it('gives three brokers three numbers, names and volumes, and everybody all three', () => {
    const brokers = services.filter(([, { image }]) => image.startsWith('apache/kafka:'))
    expect(brokers.map(([name]) => name)).toEqual(['kafka-1', 'kafka-2', 'kafka-3'])
    for (const [i, [name, { environment, volumes }]] of brokers.entries()) {
      expect(environment).toMatchObject({ BROKER_ID: i + 1, BROKER_HOST: name })
      expect(volumes).toContain(`${name}:/var/lib/kafka/data`)
      expect(read('compose/kafka/server.properties')).toContain(`${i + 1}@${name}:9093`)
    }
    for (const [name, { environment }] of services)
      if (environment?.HEADWATER_KAFKA_BROKERS !== undefined)
        expect(environment.HEADWATER_KAFKA_BROKERS, name).toBe('kafka-1:9092,kafka-2:9092,kafka-3:9092')
  })
})

describe('compose/new-env.sh', () => {
  const folder = mkdtempSync(join(tmpdir(), 'compose-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const copy = (): string => {
    const made = mkdtempSync(join(folder, 'copy-'))
    for (const file of ['docker-compose.yml', '.env.example', 'compose', 'fluentd'])
      cpSync(join(root, file), join(made, file), { recursive: true })
    return made
  }
  const newEnv = (at: string) => run('sh', [join(at, 'compose/new-env.sh')])

  it('makes an .env that nobody else may read, with passwords that nobody else has', async () => {
    const [one, other] = [copy(), copy()]
    await newEnv(one)
    await newEnv(other)
    expect(statSync(join(one, '.env')).mode & 0o777).toBe(0o600)
    const passwords = [one, other].flatMap(at =>
      Array.from(readFileSync(join(at, '.env'), 'utf8').matchAll(/^\w+_PASSWORD=(.*)$/gm), ([, value]) => value),
    )
    expect(new Set(passwords).size).toBe(6)
    for (const password of passwords) expect(password).toMatch(/^[0-9a-f]{48}$/)
  })

  it('leaves an .env as it is', async () => {
    const at = copy()
    await newEnv(at)
    const before = readFileSync(join(at, '.env'), 'utf8')
    await expect(newEnv(at)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was changed') })
    expect(readFileSync(join(at, '.env'), 'utf8')).toBe(before)
  })

  describe.skipIf(!serviceOrSkip('docker-compose', findProgram('docker-compose'), 'Debian: docker-compose'))(
    'docker-compose config',
    () => {
      const config = (at: string, profiles?: string) => {
        const { COMPOSE_PROFILES: _, COMPOSE_FILE: __, ...env } = process.env
        return run(
          'docker-compose',
          ['-f', join(at, 'docker-compose.yml'), '--project-directory', at, 'config', '-q'],
          {
            env: profiles === undefined ? env : { ...env, COMPOSE_PROFILES: profiles },
            cwd: at,
          },
        )
      }

      vi.setConfig({ testTimeout: 120_000 }) // Python starts slowly on a busy machine

      it('takes the file with an .env from .env.example, with every profile', async () => {
        const at = copy()
        await newEnv(at)
        await config(at)
        await config(at, 'fluentd,ship,monitoring,tools')
      })

      it('refuses to begin without an .env, and says how to make one', async () => {
        await expect(config(copy(), 'ship')).rejects.toMatchObject({
          stderr: expect.stringContaining('sh compose/new-env.sh'),
        })
      })
    },
  )
})
