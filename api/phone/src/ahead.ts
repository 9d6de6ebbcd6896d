// What a door may need and the start does not: fetched while there is signal, once the day is there.

const once = { once: true }

export function fetchAhead(): void {
  window.addEventListener('zoufang-questionnaires', () => void fetchEngine().catch(() => undefined), once)
  window.addEventListener('zoufang-day', () => void fetchReader().catch(() => undefined), once)
}

const fetchEngine = () => import('./questionnaire/Questionnaire.vue')

async function fetchReader(): Promise<void> {
  const { codeReader } = await import('./visit/scanning')
  await codeReader()
}
