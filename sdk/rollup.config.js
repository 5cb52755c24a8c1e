/**
 * Bundles what `tsc -b` has written to dist/esm:
 *
 *     dist/headwater.js                 what the script tag loads; the gateway serves it with a short cache time
 *     dist/headwater-core.js            the same without rules, plugins and `_paq`
 *     dist/headwater[-core]-<version>.js  the same bytes, immutable, for `integrity=` (hashes are printed and in dist/sri.json)
 *     dist/headwater-preview.js         shows tag rules at work
 *     dist/stub.js                      keeps calls made before the script has come; to be pasted into the page
 *     dist/<entry>.js                   for `import`, one for each entry of `exports`; not minified, the bundler does that
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import terser from '@rollup/plugin-terser'

const here = name => fileURLToPath(new URL(name, import.meta.url))
const { version, exports } = JSON.parse(readFileSync(here('package.json'), 'utf8'))

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

const hashes = {}

/** A copy under the version's name, which never changes once it is out, and its hash for `integrity=`. */
const versioned = name => ({
  name: 'versioned',
  writeBundle() {
    const bytes = readFileSync(here(`dist/${name}.js`))
    const file = `${name}-${version}.js`
    hashes[file] = `sha384-${createHash('sha384').update(bytes).digest('base64')}`
    writeFileSync(here(`dist/${file}`), bytes)
    writeFileSync(here('dist/sri.json'), `${JSON.stringify(hashes, null, 2)}\n`)
    console.log(`${file}  ${gzipSync(bytes, { level: 9 }).length} bytes gzip -9  integrity="${hashes[file]}"`)
  },
})

/** Names that never leave the bundle: ports and parts. Not those of options, stored events and the public tracker. */
const inner =
  /^(attempt|names|peek|keep|drop|put|later|visible|online|subscribe|subscribeClicks|cookiesEnabled|automated|gpcSignal|dntSignal|resolution|randomBytes|exclusively|transport|storage|cookies|lifecycle|navigationPort|beacon|retryAfterMs|mayStore|secure|isNew|forget|settle|seen|stored|urgent|events|identify|clock|page|hide|show|stop|load|save|leave|write|read|domain|exclusively|mayStore|safely|ports|stops|methods|watch|elements|appended|preview|element|thresholds|minMs|focused|monotonicMs|turnPage|take|touch|extensions|domains|stops|signals|tally)$/

/** `preamble`: its first line. */
const minify = preamble =>
  terser({
    mangle: { properties: { regex: inner, builtins: true } },
    ecma: 2022,
    module: true,
    compress: { passes: 5, unsafe: true, unsafe_arrows: true, unsafe_comps: true, pure_getters: true },
    format: { comments: false, preamble },
  })

/**
 * For Chromium: compiles all of it while it is being loaded, on another thread, instead of function by function on the
 * page's. https://v8.dev/blog/explicit-compile-hints
 */
const COMPILE_ALL = '//# allFunctionsCalledOnLoad'

const script = (input, file, ...plugins) => ({
  input: here(`dist/esm/${input}.js`),
  plugins: [inlineNames, typescriptMaps, minify(plugins[0] && COMPILE_ALL), ...plugins],
  output: { file: here(`dist/${file}.js`), format: 'iife', strict: false, sourcemap: 'hidden' },
})

export default [
  script('core-script', 'headwater-core', versioned('headwater-core')),
  script('full-script', 'headwater', versioned('headwater')),
  script('preview-script', 'headwater-preview'),
  script('stub', 'stub'),
  {
    input: Object.fromEntries(
      Object.entries(exports).flatMap(([, { source }]) => {
        const [, path, name] = /^\.\/src\/((?:.*\/)?([^/]+))\.ts$/.exec(source ?? '') ?? []
        return path ? [[name, here(`dist/esm/${path}.js`)]] : []
      }),
    ),
    plugins: [inlineNames, typescriptMaps],
    output: { dir: here('dist'), format: 'es', sourcemap: true, chunkFileNames: 'shared-[name].js' },
  },
]
