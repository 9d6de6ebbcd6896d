// The dashboard: numbers and tables come from the server; charts are drawn from the tables when they come into sight, by
// a library that is loaded then. In a presentation the figures are read again each minute, while somebody can see them.
import './dashboards.css'

const EVERY_MS = 60_000

function one<T extends Element>(selector: string): T | null {
  return document.querySelector<T>(selector)
}

/** What is left empty is no filter, and a period of one's own needs no name. */
function tidy(form: HTMLFormElement): void {
  const own = ['reported_from', 'reported_to'].some((name) => (form.elements.namedItem(name) as HTMLInputElement | null)?.value)
  for (const field of form.querySelectorAll<HTMLInputElement | HTMLSelectElement>('input, select')) {
    field.disabled = !field.value || (own && 'unlessOwn' in field.dataset) || (field.name === 'than' && field.value === 'before')
  }
  window.addEventListener('pageshow', () => form.querySelectorAll<HTMLInputElement>(':disabled').forEach((field) => (field.disabled = false)), { once: true })
}

/** Another street has other communities. */
function following(form: HTMLFormElement): void {
  const street = form.querySelector<HTMLSelectElement>('#street')
  const community = form.querySelector<HTMLSelectElement>('#community')
  street?.addEventListener('change', () => {
    if (community) community.value = ''
  })
}

const inSight = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue
      inSight.unobserve(target)
      drawn([target as HTMLElement])
    }
  },
  { rootMargin: '200px' },
)

/** Where the line breaks there is no drawing; its table is there. */
function drawn(places: HTMLElement[]): void {
  void import('./charts').then(({ draw }) => places.forEach((place) => draw(place))).catch(() => undefined)
}

function watch(): void {
  for (const drawing of document.querySelectorAll('.drawing')) inSight.observe(drawing)
}

function drawAll(): void {
  const waiting = [...document.querySelectorAll<HTMLElement>('.drawing:not([data-drawn])')]
  if (waiting.length) drawn(waiting)
}

/** Whether the figures that are shown may be old. */
function tellConnection(there: boolean): void {
  const banner = one<HTMLElement>('.offline')
  if (banner) banner.hidden = there
}

function refreshing(): void {
  let read = Date.now()
  const refresh = () => {
    if (document.hidden || Date.now() - read < EVERY_MS - 500) return
    read = Date.now()
    one('#figures')?.dispatchEvent(new CustomEvent('refresh'))
  }
  setInterval(refresh, EVERY_MS)
  document.addEventListener('visibilitychange', refresh)
  window.addEventListener('online', () => {
    read = 0
    refresh()
  })
}

document.addEventListener('htmx:afterSwap', () => {
  tellConnection(true)
  watch()
})
document.addEventListener('htmx:sendError', () => tellConnection(false))
window.addEventListener('offline', () => tellConnection(false))
window.addEventListener('online', () => tellConnection(true))
window.addEventListener('beforeprint', drawAll)

const form = one<HTMLFormElement>('form.asking')
if (form) {
  form.addEventListener('submit', () => tidy(form))
  following(form)
}
one('[data-print]')?.addEventListener('click', () => window.print())
if (document.body.classList.contains('present')) refreshing()
watch()
document.body.dataset.ready = 'yes'
