import { allPlugins } from '../../src/all-plugins.ts'
import type { PaqCall } from '../../src/paq/paq-call.ts'
import { paqMethods } from '../../src/paq/paq-methods.ts'
import { takeOverPaq } from '../../src/paq/take-over-paq.ts'
import type { Plugin } from '../../src/plugin.ts'
import type { PageElement } from '../../src/ports.ts'
import { startTracker, type Tracker } from '../../src/tracker.ts'
import { type FakePage, fakePage } from '../fake-ports.ts'

/** A page whose `_paq` is taken over, as the full script does it. */
export interface PaqPage extends FakePage {
  queue: PaqCall[]
  tracker: Tracker
  methods: string[]
  /** What was printed under `debug`. */
  warned: unknown[][]
}

/** `calls`: made before the script comes. `elements`: what the document holds of content blocks. */
export function paqPage(
  calls: PaqCall[],
  {
    viaPaq = true,
    elements = [],
    page = fakePage(),
  }: { viaPaq?: boolean; elements?: PageElement[]; page?: FakePage } = {},
): PaqPage {
  const warned: unknown[][] = []
  const options = { endpoint: 'https://collect.example', autoPageview: false, spa: false }
  let replay = (): void => {}
  let names: string[] = []
  const paq: Plugin = (tracker, host) => {
    const made = paqMethods(tracker, host, { options, viaPaq, elements: () => elements, visible: () => () => {} })
    names = Object.keys(made.methods)
    replay = takeOverPaq(
      calls,
      made.methods,
      (...what) => warned.push(what),
      !viaPaq,
      () => {},
    )
    return made.watch
  }
  const tracker = startTracker(options, page.ports, allPlugins([paq]))
  replay()
  return Object.assign(page, { queue: calls, tracker, methods: names, warned })
}
