import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { settings } from '../src/config.ts'
import { ConfigError, type ConfigSources, loadConfig } from '../src/load-config.ts'

const nowhere = mkdtempSync(join(tmpdir(), 'headwater-config-'))
const load = (sources: Partial<ConfigSources>) => loadConfig({ env: {}, cwd: nowhere, ...sources })

function faultsOf(sources: Partial<ConfigSources>): readonly string[] {
  try {
    load(sources)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  throw new Error('the configuration was accepted')
}

function yaml(text: string): { cwd: string } {
  const cwd = mkdtempSync(join(tmpdir(), 'headwater-config-'))
  writeFileSync(join(cwd, 'headwater.yaml'), text)
  return { cwd }
}

describe('a configuration', () => {
  it('has the documented defaults when nothing is given', () => {
    const { config } = load({})
    expect(config.gateway.port).toBe(8000)
    expect(config.console.port).toBe(8080)
    expect(config.metrics).toEqual({ host: '127.0.0.1', port: 9464 })
    expect(config.sites).toEqual([{ id: 1, name: 'My site', hosts: [] }])
    expect(config.dedup).toEqual({ windowMs: 86_400_000, maxIds: 4_000_000 })
  })

  it('takes flags before the environment before the file', () => {
    const file = yaml('gateway: { port: 1 }\nmetrics: { port: 1 }\narchive: { rollEveryMs: 1000 }\n')
    const { config, origins } = load({
      ...file,
      env: { HEADWATER_GATEWAY_PORT: '2', HEADWATER_METRICS_PORT: '2', PATH: '/bin' },
      flags: { 'gateway.port': '3' },
    })
    expect([config.gateway.port, config.metrics.port, config.archive.rollEveryMs]).toEqual([3, 2, 1000])
    expect(origins.get('metrics.port')).toBe('HEADWATER_METRICS_PORT')
    expect(origins.get('gateway.port')).toBe('a flag')
    expect(origins.get('archive.rollEveryMs')).toContain('headwater.yaml')
  })

  it('reads the variables that scripts rely on', () => {
    const { config } = load({
      env: {
        HEADWATER_DATA_DIR: '/tmp/x',
        HEADWATER_GATEWAY_PORT: '0',
        HEADWATER_CONSOLE_PORT: '0',
        HEADWATER_METRICS_PORT: '0',
        HEADWATER_SCENARIOS_FILE: 's.json',
        HEADWATER_MEMBERS_FILE: 'm.csv',
        HEADWATER_ARCHIVE_ROLL_EVERY_MS: '500',
      },
    })
    expect([config.dataDir, config.scenarios.file, config.members.file]).toEqual(['/tmp/x', 's.json', 'm.csv'])
    expect(config.archive.rollEveryMs).toBe(500)
  })

  it('reports all faults together, each with the value found', () => {
    const file = yaml('archive: { rollEveryMs: -1, codec: gzip }\ngateway: { trustedProxies: [1] }\ntimezone: Mars\n')
    const faults = faultsOf({ ...file, env: { HEADWATER_GATEWAY_PORT: 'eighty' } })
    expect(faults).toHaveLength(5)
    expect(faults.join('\n')).toMatch(/archive\.rollEveryMs must be an integer from 100 to \d+\. Found: -1\./)
    expect(faults.join('\n')).toContain('archive.codec must be one of zstd, snappy. Found: "gzip".')
    expect(faults.join('\n')).toContain(
      'gateway.port must be an integer from 0 to 65535. Found: "eighty". (from HEADWATER_GATEWAY_PORT)',
    )
    expect(faults.join('\n')).toContain('timezone must be an IANA time zone, such as Asia/Seoul or UTC. Found: "Mars".')
  })

  it('answers an unknown key with the nearest known one, wherever it stands', () => {
    expect(faultsOf(yaml('gateway: { prot: 1 }'))[0]).toMatch(
      /gateway\.prot is not known\. Did you mean gateway\.port\?/,
    )
    expect(faultsOf({ env: { HEADWATER_GATEWAY_PROT: '1' } })[0]).toContain('Did you mean HEADWATER_GATEWAY_PORT?')
    expect(faultsOf({ flags: { 'archive.codex': 'zstd' } })[0]).toContain('Did you mean archive.codec?')
    expect(faultsOf(yaml('arhcive: { codec: zstd }'))[0]).toContain('Did you mean archive?')
  })

  it('says where a file cannot be read as YAML, and that a named file is missing', () => {
    expect(faultsOf(yaml('gateway: [1'))[0]).toMatch(/headwater\.yaml: .*line 1/)
    expect(faultsOf({ file: 'gone.yaml' })[0]).toMatch(/gone\.yaml cannot be read/)
    expect(faultsOf(yaml('- 1'))[0]).toContain('must hold settings')
    expect(faultsOf(yaml('gateway: 5'))[0]).toContain('gateway must be a section of settings. Found: 5.')
  })

  it('describes every setting', () => {
    for (const setting of settings()) expect(setting.description, setting.path).not.toBe('')
  })
})
