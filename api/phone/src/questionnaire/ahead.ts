// Where the day has a questionnaire, the engine is fetched while there is signal, so that it is there at the door.

export function fetchAhead(): void {
  window.addEventListener('zoufang-questionnaires', () => void import('./Questionnaire.vue').catch(() => undefined), {
    once: true,
  })
}
