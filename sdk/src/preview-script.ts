/**
 * `headwater-preview.js`, a second tag for sites that want to see their rules at work: opened with `?hw_debug=1`, the page
 * shows them. Without that it does nothing.
 *
 *     <script src="https://collect.example.com/headwater-preview.js"></script>   in front of the other tag
 */
import { previewOverlay, previewWanted } from './rules/preview-overlay.ts'
import type { Preview } from './rules/tag-rules.ts'

const page = window as unknown as { headwaterPreview?: Preview }

try {
  if (previewWanted()) page.headwaterPreview ??= previewOverlay()
} catch {}
