import { type Setting, settings } from './config.ts'

/** `docs/reference/config.md`, made from the schema so that it cannot say anything else. */
export function configReference(): string {
  const rows = settings().map(
    setting => `| \`${setting.path}\` | ${kindOf(setting)} | ${fallbackOf(setting)} | ${cell(setting.description)} |`,
  )
  return `# Configuration

<!-- Generated from cli/src/config.ts by \`npm run docs\`; a test fails when it is stale. -->

Settings come from, the later ones winning: the defaults below; \`headwater.yaml\` in the working directory (or the file of
\`--config\` or \`HEADWATER_CONFIG\`); environment variables; flags (\`--data-dir\`, \`--set path=value\`).
The variable of a setting is its path in capitals: \`archive.rollEveryMs\` is \`HEADWATER_ARCHIVE_ROLL_EVERY_MS\`. Lists are
separated by commas there, \`sites\` is JSON. \`headwater config check\` reports all faults together, \`headwater config print\`
shows what is in force. Sizes are in bytes, times in milliseconds.

| setting | value | default | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}

\`\`\`yaml
# headwater.yaml
timezone: Asia/Seoul
sites:
  - { id: 1, name: My shop, hosts: [shop.example] }
gateway: { port: 8000, trustedProxies: [127.0.0.1] }
scenarios: { file: scenarios.json }
members: { file: members.csv }
\`\`\`
`
}

function kindOf({ kind, choices }: Setting): string {
  return kind === 'choice' ? choices.map(choice => `\`${choice}\``).join(', ') : kind
}

function fallbackOf({ fallback }: Setting): string {
  return fallback === undefined ? 'none' : `\`${cell(JSON.stringify(fallback))}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
