import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findProgram, serviceOrSkip } from '@headwater/testkit'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { metricDescriptions } from '../../../cli/src/metrics-reference.ts'

const run = promisify(execFile)
const folder = fileURLToPath(new URL('../../../monitoring', import.meta.url))
const read = (file: string): string => readFileSync(join(folder, file), 'utf8')

interface Rules {
  groups: { rules: { alert: string; expr: string; labels: { severity: string }; annotations: { do: string } }[] }[]
}
const rules = (parse(read('alerts.yml')) as Rules).groups.flatMap(group => group.rules)

describe('monitoring/', () => {
  it('asks for metrics and labels that exist', () => {
    const labels = new Map(metricDescriptions().map(({ name, labels }) => [name, labels]))
    let asked = 0
    for (const { alert, expr } of rules)
      for (const [, name = '', selector = ''] of expr.matchAll(/\b(headwater_\w+)(?:\{([^}]*)\})?/g)) {
        asked++
        expect(labels.has(name), `${alert}: ${name}`).toBe(true)
        for (const [, label] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
          expect(labels.get(name), `${alert}: ${name}`).toContain(label)
      }
    expect(asked).toBeGreaterThan(20)
  })

  it('says of every alarm how bad it is and what to do', () => {
    for (const { alert, labels, annotations } of rules) {
      expect(labels.severity, alert).toMatch(/^(page|ticket)$/)
      expect(annotations.do, alert).toMatch(/\w.{20,}/)
    }
  })

  it('scrapes services of docker-compose.yml, on the port that they listen on', () => {
    const compose = parse(read('../docker-compose.yml'), { merge: true }) as { services: Record<string, unknown> }
    const { scrape_configs } = parse(read('prometheus.yml')) as {
      scrape_configs: { dns_sd_configs?: { names: string[]; port: number }[] }[]
    }
    const found = scrape_configs.flatMap(({ dns_sd_configs = [] }) => dns_sd_configs)
    for (const { names, port } of found) {
      expect(port).toBe(9464)
      for (const name of names) expect(compose.services).toHaveProperty([name])
    }
    expect(found.flatMap(({ names }) => names)).toEqual(
      expect.arrayContaining(['gateway', 'ship-nginx', 'ship-gateway', 'filter', 'stats', 'archive']),
    )
  })

  describe.skipIf(!serviceOrSkip('promtool', findProgram('promtool'), 'Debian: prometheus'))('promtool', () => {
    it('takes configuration and alarms, which ring when they must and only then', async () => {
      await run('promtool', ['check', 'config', join(folder, 'prometheus.yml')])
      await run('promtool', ['test', 'rules', join(folder, 'alerts.test.yml')])
    })
  })
})
