import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { VitePWA } from 'vite-plugin-pwa'

const OUT = join(import.meta.dirname, '../static_phone')

// Loaded when there is need of them, and kept from then on: not part of what every phone fetches at first.
const LATER = ['assets/later-*', '**/*.wasm']

/** Which client this is: told by what it was made of, so that the same sources always make the same files. */
function version() {
  const digest = createHash('sha256')
  for (const name of readdirSync(join(import.meta.dirname, 'src'), { recursive: true }).sort()) {
    const path = join(import.meta.dirname, 'src', name)
    if (statSync(path).isFile()) digest.update(name).update(readFileSync(path))
  }
  return digest.digest('hex').slice(0, 8)
}

/** Vant's icons come as a data address first; the second, on a foreign host, must never be asked. */
function withoutForeignFonts() {
  return {
    name: 'without-foreign-fonts',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('/vant/') || !id.includes('.css')) return null
      return code.replace(/,\s*url\((?:https?:)?\/\/[^)]*\)\s*(format\([^)]*\))?/g, '')
    },
  }
}

/** The questionnaire's engine waits at the top of its module, which Chrome 87 cannot: it is told to be `ready` instead. */
function withoutTopLevelAwait() {
  const CHANGES = [
    ['const BLOB_BEHAVIOR = await detectBlobBehavior();', 'const BLOB_BEHAVIOR = "BLOB_BEHAVIOR_EXPECTED";'],
    ['const expressionParser = await ExpressionParser.init({', 'let expressionParser;\nconst ready = ExpressionParser.init({'],
    ['  xpathLanguage\n});', '  xpathLanguage\n}).then((made) => { expressionParser = made; });'],
    ['export { constants, ', 'export { ready, constants, '],
  ]
  return {
    name: 'without-top-level-await',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('/xforms-engine/dist/index.js')) return null
      for (const [before, after] of CHANGES) {
        if (code.split(before).length !== 2) this.error(`The engine has changed: it no longer has once "${before}"`)
        code = code.replace(before, after)
      }
      return { code, map: null }
    },
  }
}

/** Compresses each file once, as well as can be: the server would do it for each phone, and worse. */
function compressed() {
  return {
    name: 'compressed',
    apply: 'build',
    enforce: 'post',
    closeBundle: {
      order: 'post',
      sequential: true,
      handler() {
        for (const name of readdirSync(OUT, { recursive: true })) {
          if (!/\.(js|css|html|svg|wasm|webmanifest|json)$/.test(name)) continue
          const content = readFileSync(join(OUT, name))
          writeFileSync(join(OUT, `${name}.gz`), gzipSync(content, { level: 9 }))
          const quality = { [constants.BROTLI_PARAM_QUALITY]: 11 }
          writeFileSync(join(OUT, `${name}.br`), brotliCompressSync(content, { params: quality }))
        }
      },
    },
  }
}

export default defineConfig({
  root: import.meta.dirname,
  base: '/phone/',
  define: { __VERSION__: JSON.stringify(version()) },
  plugins: [
    withoutForeignFonts(),
    withoutTopLevelAwait(),
    vue(),
    VitePWA({
      registerType: 'prompt',
      injectRegister: null,
      manifest: {
        id: '/phone/',
        name: '走访',
        short_name: '走访',
        description: '上门走访：没有信号也能用',
        lang: 'zh-CN',
        start_url: '/phone/',
        scope: '/phone/',
        display: 'standalone',
        background_color: '#f5f0e6',
        theme_color: '#7a4a28',
        icons: [
          { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: 'icon-512-maskable.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
          { src: 'icon.svg', sizes: 'any', type: 'image/svg+xml' },
        ],
      },
      workbox: {
        globPatterns: ['**/*.{js,css,html,svg,webmanifest}'],
        globIgnores: LATER,
        navigateFallback: '/phone/index.html',
        cleanupOutdatedCaches: true,
        clientsClaim: true, // what the first day fetches ahead is kept from the first day on
        inlineWorkboxRuntime: true,
        sourcemap: false,
        runtimeCaching: [
          {
            urlPattern: /\/phone\/assets\//,
            handler: 'CacheFirst',
            options: { cacheName: 'later', expiration: { maxEntries: 60 } },
          },
        ],
      },
    }),
    compressed(),
  ],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsInlineLimit: 4096,
    modulePreload: { polyfill: false },
    target: ['chrome87', 'safari15'],
    chunkSizeWarningLimit: 3000,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        // what only a questionnaire or a camera needs is named so that the precache can leave it out
        chunkFileNames: (chunk) =>
          chunk.moduleIds.some((id) => /xforms-engine|zxing-wasm|\/src\/questionnaire\//.test(id))
            ? 'assets/later-[name]-[hash].js'
            : 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
})
