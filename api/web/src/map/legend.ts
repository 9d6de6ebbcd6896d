// What the colours of the communities mean, and the switch between the two things they can say.

import { legend, listen, setShade, shade, type Shade } from './areas'
import { h } from './dom'
import { page } from './page'
import { text } from './texts'
import { isPhone } from './view'

export function legendCard(): HTMLElement {
  const scale = h('ol', { class: 'scale' })
  const meaning = h('p', { class: 'small soft' })
  const button = (kind: Shade, name: string): HTMLButtonElement =>
    h('button', { type: 'button', 'aria-pressed': 'false', click: () => setShade(kind), 'data-shade': kind }, name)
  const choice = h(
    'div',
    { class: 'choice', role: 'group', 'aria-label': text.shade },
    button('open', text.shadeOpen),
    button('solved', text.shadeSolved),
  )
  const card = h(
    'details',
    { class: 'legend', hidden: page.areas.length === 0 },
    h('summary', {}, text.legend),
    h(
      'div',
      { class: 'legend-body' },
      h('h2', {}, text.shade),
      choice,
      scale,
      meaning,
      h('p', { class: 'small soft rings' }, text.legendRings),
    ),
  )
  card.open = !isPhone()

  function draw(): void {
    scale.replaceChildren(
      ...legend().map(({ name, className }) =>
        h('li', {}, h('span', { class: `swatch ${className}` }), h('span', { class: 'number' }, name)),
      ),
    )
    meaning.textContent = shade() === 'open' ? text.legendOpen : text.legendSolved
    for (const one of choice.querySelectorAll('button'))
      one.setAttribute('aria-pressed', String(one.dataset.shade === shade()))
  }
  listen(draw)
  draw()
  return card
}
