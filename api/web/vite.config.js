import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { build, defineConfig } from 'vite'

const require = createRequire(import.meta.url)

// Served as they come from npm: scripts that pages load before their own, and know by a global name.
const AS_THEY_ARE = {
  'leaflet.js': 'leaflet/dist/leaflet.js',
  'swagger-ui.js': 'swagger-ui-dist/swagger-ui-bundle.js',
  'swagger-ui.css': 'swagger-ui-dist/swagger-ui.css',
  'icon.svg': './src/icon.svg',
  'card.js': './src/card.js',
  'ballot.js': './src/ballot.js',
  'early.js': './src/early.js',
  'htmx.js': 'htmx.org/dist/htmx.min.js',
}

// What is printed is set in these; the program reads them by their own names from static/fonts.
const FONTS = [
  '@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf',
  '@expo-google-fonts/noto-sans-sc/700Bold/NotoSansSC_700Bold.ttf',
]

function withoutSourceMap(text) {
  return text.replace(/\/[/*]# sourceMappingURL=\S+( \*\/)?\s*$/, '')
}

const TARGET = ['chrome90', 'safari15', 'firefox100']

/** The map's script in one piece, for a file that is opened without a server. */
async function inOnePiece(entry) {
  const [made] = [
    await build({
      configFile: false,
      root: import.meta.dirname,
      logLevel: 'warn',
      build: { write: false, target: TARGET, lib: { entry, formats: ['iife'], name: 'zoufang', fileName: 'alone' } },
    }),
  ].flat()
  return made.output.find((one) => one.type === 'chunk' && one.isEntry).code
}

/** Writes assets.json: the name by which a page asks for a file, and the hashed name under which it is served. */
function assets() {
  return {
    name: 'assets',
    async generateBundle(_options, bundle) {
      const served = {}
      for (const file of Object.values(bundle)) {
        if (file.type === 'chunk' && file.isEntry && file.code.trim()) served[`${file.name}.js`] = file.fileName
        if (file.type === 'asset') for (const name of file.names) served[name] = file.fileName
      }
      for (const [name, path] of Object.entries(AS_THEY_ARE)) {
        const source = withoutSourceMap(readFileSync(require.resolve(path), 'utf8'))
        served[name] = this.getFileName(this.emitFile({ type: 'asset', name, source }))
      }
      for (const path of FONTS) {
        this.emitFile({ type: 'asset', fileName: `fonts/${path.split('/').pop()}`, source: readFileSync(require.resolve(path)) })
      }
      const source = await inOnePiece('src/map/main.ts')
      served['map_alone.js'] = this.getFileName(this.emitFile({ type: 'asset', name: 'map_alone.js', source }))
      this.emitFile({ type: 'asset', fileName: 'assets.json', source: JSON.stringify(served, null, 1) })
    },
  }
}

export default defineConfig({
  root: import.meta.dirname,
  base: '/static/',
  publicDir: false,
  plugins: [assets()],
  build: {
    outDir: '../static',
    emptyOutDir: true,
    assetsInlineLimit: 4096,
    chunkSizeWarningLimit: 600, // kB: the charts' library, which comes when a chart comes into sight
    modulePreload: { polyfill: false },
    target: TARGET,
    rolldownOptions: {
      input: {
        map: 'src/map/main.ts',
        coverage: 'src/coverage/main.ts',
        shell: 'src/shell.ts',
        desk: 'src/desk/main.ts',
        forms: 'src/forms.ts',
        sign_in: 'src/sign_in.ts',
        first_access: 'src/first_access.ts',
        account: 'src/account.ts',
        person: 'src/person.ts',
        questionnaires: 'src/questionnaires.ts',
        assignment: 'src/assignment/main.ts',
        premises: 'src/premises.ts',
        personal_link: 'src/personal_link.ts',
        rating: 'src/assessments/rating.ts',
        volunteer: 'src/volunteer.ts',
        places: 'src/desk/places.ts',
        dashboards: 'src/dashboards/main.ts',
        rates: 'src/dashboards/rates.ts',
        reports: 'src/reports.ts',
        services: 'src/services.ts',
        promises: 'src/promises.ts',
        cards: 'src/desk/cards.ts',
        ballots: 'src/ballots.ts',
        rules: 'src/desk/rules.ts',
        imports: 'src/desk/imports.ts',
        openapi: 'src/openapi.ts',
        pages: 'src/pages.css',
        card: 'src/card.css',
        rating_points: 'src/assessments/rating.css',
        board: 'src/board.css',
      },
      output: {
        entryFileNames: '[name]-[hash].js',
        chunkFileNames: '[name]-[hash].js',
        assetFileNames: '[name]-[hash][extname]',
      },
    },
  },
})
