import { checkedRules, gatewayOptions as completeOptions } from '@headwater/gateway'
import { isMap, isScalar, parseDocument, stringify, visit } from 'yaml'
import { type Config, settings } from '../config.ts'
import { gatewayOptions } from '../gateway-options.ts'
import type { LoadedConfig } from '../load-config.ts'

/** `headwater config check`: loading has thrown with all faults that it sees; what only the gateway can judge comes here. */
export function checkConfig({ config, origins }: LoadedConfig): void {
  checkedRules(completeOptions(gatewayOptions(config, '')))
  console.log(
    `The configuration is good: ${origins.size} settings given, ${settings().length - origins.size} by default.`,
  )
  console.log(`Data folder: ${config.dataDir}`)
}

/** `headwater config print` */
export function printConfig(loaded: LoadedConfig, options: { json?: boolean; origins?: boolean }): void {
  const { origins } = loaded
  const config = withoutSecrets(loaded.config)
  if (options.json === true) {
    console.log(JSON.stringify(config, null, 2))
    return
  }
  const document = parseDocument(stringify(config))
  if (options.origins === true)
    for (const { path } of settings()) {
      const node = document.getIn(path.split('.'), true)
      const comment = ` ${origins.get(path) ?? 'default'}`
      if (isScalar(node)) node.comment = comment
      else if (isMap(node) || node !== undefined)
        visit(document, {
          Pair: (_, pair) => {
            if (pair.value === node && isScalar(pair.key)) pair.key.commentBefore = comment
          },
        })
    }
  console.log(document.toString().trimEnd())
}

/** What may be shown to anybody: passwords are replaced. */
function withoutSecrets(config: Config): Config {
  const shown = structuredClone(config)
  for (const { path, secret } of settings()) {
    if (!secret) continue
    const parts = path.split('.')
    const last = parts.pop() as string
    const section = parts.reduce<Record<string, unknown>>((node, part) => node[part] as Record<string, unknown>, shown)
    if (section[last] !== undefined) section[last] = '(hidden)'
  }
  return shown
}
