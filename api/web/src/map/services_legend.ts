// The switch of volunteers' services, what their hearts mean, and the lists behind their numbers.

import * as address from './address'
import { h } from './dom'
import { pictures } from './maps'
import { page } from './page'
import { filtersOf } from './periods'
import { NOWHERE, places } from './places'
import { heart, shown, watch } from './services'
import { amount, day, text } from './texts'

/** The switch, and while it is on what is shown. */
export function servicesField(): HTMLElement {
  const button = h('button', { type: 'button', class: 'services-switch', click: toggle }, heart(false, 20), text.services.name)
  const told = h('div', { class: 'services-meaning', 'aria-live': 'polite' })
  const field = h('div', { class: 'services-field' }, button, told)
  function toggle(): void {
    address.look({ services: shown() ? null : 'yes' })
  }
  function draw(): void {
    button.setAttribute('aria-pressed', String(shown()))
    told.replaceChildren(...(shown() ? meaning() : []))
  }
  address.listen(draw)
  watch(draw)
  draw()
  return field
}

function meaning(): HTMLElement[] {
  return pictures().flatMap(({ services, figures }) => {
    const answer = services.answer
    if (!answer) return []
    const days = `${day(answer.first)} – ${day(answer.last)}`
    const row = (held: boolean, count: number, more: string, query: Record<string, string>): HTMLElement =>
      h(
        'p',
        { class: 'small' },
        heart(held, 20),
        h('a', { href: list(figures.side, query) }, held ? text.services.held : text.services.toCome, ' ', h('b', { class: 'number' }, amount(count))),
        more && h('span', { class: 'soft' }, more),
      )
    return [
      ...(answer.to_come === null ? [] : [row(false, answer.to_come, '', { stands: 'to_come' })]),
      row(true, answer.held, days, { stands: 'held', from: answer.first, to: answer.last }),
      ...(answer.unplaced > 0 ? [h('p', { class: 'small soft' }, text.services.unplaced(amount(answer.unplaced)))] : []),
    ]
  })
}

/** The list that has as many: of the communities, and of those of the streets, that the map is narrowed to. */
function list(side: 'now' | 'then', query: Record<string, string>): string {
  const filters = filtersOf(side)
  const streets = filters.getAll('street')
  const named = filters.getAll('community')
  const within = places('street').filter(({ key }) => streets.includes(key)).flatMap(({ codes }) => codes)
  const both = named.length === 0 ? within : within.filter((code) => named.includes(code))
  const codes = streets.length === 0 ? named : both.length === 0 ? [NOWHERE] : both
  const whole = new URLSearchParams(query)
  for (const code of codes) whole.append('community', code)
  if (page.language === 'en') whole.set('lang', 'en')
  return `/volunteering/services?${whole}`
}
