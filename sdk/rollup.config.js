/**
 * Bundles what `tsc -b` has written to dist/esm:
 *
 *     dist/headwater.js            what the script tag loads; the gateway serves it with a short cache time
 *     dist/headwater-<version>.js  the same bytes, immutable, for `integrity=` (the hash is printed and in dist/sri.json)
 *     dist/index.js                for `import`; not minified, its user's bundler does that
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import terser from '@rollup/plugin-terser'

const here = name => fileURLToPath(new URL(name, import.meta.url))
const { version } = JSON.parse(readFileSync(here('package.json'), 'utf8'))

/** The parameter names are bundled in; nobody who installs the tracker installs the rest of Headwater. */
const inlineNames = {
  name: 'inline-names',
  resolveId: id => (id === '@headwater/core/names' ? here('../core/dist/names.js') : null),
}

/** Leads source maps back to the TypeScript. */
const typescriptMaps = {
  name: 'typescript-maps',
  load: id => ({ code: readFileSync(id, 'utf8'), map: JSON.parse(readFileSync(`${id}.map`, 'utf8')) }),
}

const integrity = {
  name: 'integrity',
  writeBundle(_options, bundle) {
    const { code } = bundle['headwater.js']
    const hash = `sha384-${createHash('sha384')
      .update(readFileSync(here('dist/headwater.js')))
      .digest('base64')}`
    const file = `headwater-${version}.js`
    writeFileSync(here(`dist/${file}`), readFileSync(here('dist/headwater.js')))
    writeFileSync(here('dist/sri.json'), `${JSON.stringify({ file, integrity: hash })}\n`)
    console.log(`${file}  ${code.length} characters  integrity="${hash}"`)
  },
}

/** Names that never leave the bundle: ports and parts. Not those of options, stored events and the public tracker. */
const inner =
  /^(later|visible|online|subscribe|subscribeClicks|cookiesEnabled|automated|gpcSignal|dntSignal|resolution|randomBytes|exclusively|transport|storage|cookies|lifecycle|navigationPort|beacon|retryAfterMs|mayStore|secure|isNew|forget|settle|seen|stored|urgent|events|identify|clock|page)$/

const minify = terser({
  mangle: { properties: { regex: inner, builtins: true } },
  ecma: 2022,
  module: true,
  compress: { passes: 3, unsafe_arrows: true, pure_getters: true },
  format: { comments: false },
})

export default [
  {
    input: here('dist/esm/script-tag.js'),
    plugins: [inlineNames, typescriptMaps, minify, integrity],
    output: { file: here('dist/headwater.js'), format: 'iife', strict: false, sourcemap: 'hidden' },
  },
  {
    input: here('dist/esm/index.js'),
    plugins: [inlineNames, typescriptMaps],
    output: { file: here('dist/index.js'), format: 'es', sourcemap: true },
  },
]
