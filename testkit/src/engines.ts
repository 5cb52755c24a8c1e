import { chromiumEngine } from './chromium-engine.ts'
import type { InstalledEngine } from './engine.ts'
import { firefoxEngine } from './firefox-engine.ts'
import { webkitEngine } from './webkit-engine.ts'

/** The three engines that people browse with, installed here or not. */
export function engines(): InstalledEngine[] {
  return [chromiumEngine(), firefoxEngine(), webkitEngine()]
}
