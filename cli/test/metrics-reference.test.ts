import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { serviceOrSkip } from '@headwater/testkit'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { startEmbedded } from '../src/embedded.ts'
import { loadConfig } from '../src/load-config.ts'
import { metricDescriptions, metricsReference } from '../src/metrics-reference.ts'

const page = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8')

/** What a metric can be counted or measured in. Before a new word, look whether one of these says it. */
const UNITS: Readonly<Record<string, RegExp>> = {
  counter:
    /_(bytes|clients|commits|events|failures|files|joins|letters|lines|mismatches|outcomes|records|requests|retries|rotations|rows|writes)_total$/,
  gauge: /_(bytes|bodies|records|seconds|writable)$/,
  histogram: /_(bytes|seconds)$/,
}
const STAGE = /^headwater_(gateway|tailer|logs|filter|stats|dead_letter|archive|kafka|ship)_[a-z]+(_[a-z]+)*$/

it('docs/reference/metrics.md says what is registered (npm run docs writes it)', () => {
  expect(page).toBe(metricsReference())
})

it('every metric is named headwater_<stage>_<what>_<unit>', () => {
  const metrics = metricDescriptions()
  expect(metrics.length).toBeGreaterThan(20)
  for (const { name, type } of metrics) {
    expect(name).toMatch(STAGE)
    expect(name).toMatch(UNITS[type] ?? /^no such type$/)
  }
})

it('every metric has a sentence, and a yes or no says so', () => {
  for (const { name, help } of metricDescriptions()) {
    expect(help, name).toMatch(/^[A-Z].*\.$/)
    if (name.endsWith('_writable')) expect(help, name).toMatch(/1 or 0\.$/)
  }
})

describe('a running server', () => {
  /** What /metrics says once an event has gone all the way. */
  async function scrape(): Promise<string> {
    const dir = mkdtempSync(join(tmpdir(), 'headwater-metrics-'))
    const { config } = loadConfig({
      env: { HEADWATER_DATA_DIR: dir, HEADWATER_GATEWAY_PORT: '0', HEADWATER_METRICS_PORT: '0' },
      cwd: dir,
    })
    const running = await startEmbedded(config, pino({ level: 'silent' }))
    try {
      await fetch(`http://127.0.0.1:${running.ports.gateway}/5?_id=0123456789abcdef`)
      for (;;) {
        const text = await (await fetch(`http://127.0.0.1:${running.ports.metrics}/metrics`)).text()
        if (text.includes('headwater_stats_outcomes_total{result="counted"} 1')) return text
        await pause(10)
      }
    } finally {
      await running.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  }

  it('shows exactly the metrics of the page, with their types', async () => {
    const text = await scrape()
    const shown = [...text.matchAll(/^# TYPE (headwater_\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`)
    expect(shown.sort()).toEqual(
      metricDescriptions()
        .map(({ name, type }) => `${name} ${type}`)
        .sort(),
    )
  })

  describe.skipIf(!serviceOrSkip('promtool', promtool()))('as promtool sees it', () => {
    it('has nothing that promtool finds fault with', async () => {
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: await scrape() })
      expect(`${stdout}${stderr}`).toBe('')
      expect(status).toBe(0)
    })

    it('is watched by expressions that promtool can read', () => {
      const rules = [...page.slice(page.indexOf('## What to watch')).matchAll(/^\| ([a-z].*?) \| `(.+)` \|$/gm)].map(
        ([, sign, expression], i) =>
          `  - alert: Sign${i}\n    expr: ${JSON.stringify(expression?.replaceAll('\\|', '|'))}\n    annotations: { sign: ${JSON.stringify(sign)} }`,
      )
      expect(rules.length).toBeGreaterThan(3)
      const dir = mkdtempSync(join(tmpdir(), 'headwater-rules-'))
      const file = join(dir, 'rules.yaml')
      writeFileSync(file, `groups:\n- name: watch\n  rules:\n${rules.join('\n')}\n`)
      expect(execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })).toContain('SUCCESS')
      rmSync(dir, { recursive: true })
    })
  })
})

it('the expressions to watch name metrics that there are', () => {
  const names = new Set(metricDescriptions().map(({ name }) => name))
  const used = [...page.slice(page.indexOf('## What to watch')).matchAll(/headwater_\w+/g)].map(match => match[0])
  for (const name of used) expect(names).toContain(name)
})

function promtool(): string | undefined {
  const { error, stdout, stderr } = spawnSync('promtool', ['--version'], { encoding: 'utf8' })
  return error === undefined ? `${stdout}${stderr}` : undefined
}
