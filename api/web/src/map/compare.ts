// Over each of two maps that are compared: which days it shows, and what the second one shades.

import * as address from './address'
import { h } from './dom'
import { choice } from './legend'
import { page } from './page'
import { before, compare, comparing, lengthOf, other, own, type Period, type Side } from './periods'
import { differs } from './picture'
import { day, text } from './texts'

export function periodBars(): HTMLElement[] {
  return [periodBar('now'), periodBar('then')]
}

function periodBar(side: Side): HTMLElement {
  const name = side === 'now' ? text.thisPeriod : text.otherPeriod
  const from = dayField('from', `${name} ${text.from}`)
  const to = dayField('to', `${name} ${text.until}`)
  const told = h('span', { class: 'told' })
  const fields = page.file ? told : h('span', { class: 'days-from-to' }, from, '–', to)
  const shade =
    side === 'then'
      ? choice(
          text.shadeOf,
          [
            ['value', text.values],
            ['difference', text.difference],
          ],
          () => (differs() ? 'difference' : 'value'),
          (wanted) => address.look({ shade: wanted === 'value' ? null : wanted }),
        )
      : ''
  const bar = h('div', { class: `period-bar ${side}`, hidden: true }, h('strong', {}, name), fields, shade)

  function dayField(end: 'from' | 'to', label: string): HTMLInputElement {
    return h('input', { type: 'date', 'aria-label': label, max: page.today, 'data-end': end, change: changed })
  }

  function changed(): void {
    const period: Period = { from: from.value, to: to.value }
    if (!period.from || !period.to || period.from > period.to) return
    const [one, than] = [own(), other()]
    if (!one || !than) return
    if (side === 'then') compare(one, period)
    else compare(period, lengthOf(one) === lengthOf(period) ? than : before(period))
  }

  const update = (): void => {
    const period = side === 'now' ? own() : other()
    bar.hidden = !comparing()
    if (!period) return
    if (document.activeElement !== from) from.value = period.from
    if (document.activeElement !== to) to.value = period.to
    told.textContent = `${day(period.from)} – ${day(period.to)}`
  }
  address.listen(update)
  update()
  return bar
}
