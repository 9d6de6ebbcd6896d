// What a door may need and the start does not: fetched while there is signal, once the day is there and the service
// worker is, who keeps it.

const once = { once: true }

export function fetchAhead(): void {
  window.addEventListener('zoufang-questionnaires', () => void takenOver().then(fetchEngine).catch(() => undefined), once)
  window.addEventListener('zoufang-day', () => void takenOver().then(fetchReader).catch(() => undefined), once)
}

/** Resolves once the service worker serves this page: what is fetched before is kept by nobody. */
async function takenOver(): Promise<void> {
  const { serviceWorker } = navigator
  if (!serviceWorker || serviceWorker.controller) return
  await new Promise((done) => serviceWorker.addEventListener('controllerchange', done, once))
}

const fetchEngine = () => import('./questionnaire/Questionnaire.vue')

async function fetchReader(): Promise<void> {
  const { codeReader } = await import('./visit/scanning')
  await codeReader()
}
