import { isMap, isScalar, parseDocument, stringify, visit } from 'yaml'
import { settings } from '../config.ts'
import type { LoadedConfig } from '../load-config.ts'

/** `headwater config check`: a faulty configuration never gets here (loading it throws with all faults). */
export function checkConfig({ config, origins }: LoadedConfig): void {
  console.log(
    `The configuration is good: ${origins.size} settings given, ${settings().length - origins.size} by default.`,
  )
  console.log(`Data folder: ${config.dataDir}`)
}

/** `headwater config print` */
export function printConfig({ config, origins }: LoadedConfig, options: { json?: boolean; origins?: boolean }): void {
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
  process.stdout.write(document.toString())
}
