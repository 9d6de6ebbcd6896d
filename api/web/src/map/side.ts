// The side of the page: what district it is, and how many issues stand where.

import * as address from './address'
import { h } from './dom'
import { exportMenu } from './exports'
import { empty, listen, now, solvedShare, type Totals } from './figures'
import { filterForm } from './filters'
import { colourClass, GROUPS, groupName, mark, OPEN_GROUPS, type Group } from './marks'
import { page } from './page'
import { comparing } from './periods'
import { NOWHERE } from './places'
import { presentButton } from './present'
import { amount, share, text } from './texts'
import { trustSection } from './trust'

export function side(signOut: () => void): HTMLElement {
  const filters = filterForm()
  const toggle = h(
    'button',
    {
      type: 'button',
      class: 'open-filters',
      'aria-expanded': 'false',
      'aria-controls': 'filters',
      click: () => unfold(!filters.classList.contains('unfolded')),
    },
    text.filters,
    h('span', { class: 'badge', hidden: true }),
  )

  function unfold(open: boolean): void {
    filters.classList.toggle('unfolded', open)
    toggle.setAttribute('aria-expanded', String(open))
    if (open) filters.querySelector<HTMLElement>('input, select')?.focus()
  }

  filters.append(
    h(
      'button',
      {
        type: 'button',
        class: 'button-main fold',
        click: () => {
          unfold(false)
          toggle.focus()
        },
      },
      text.done,
    ),
  )
  filters.addEventListener('submit', (event) => {
    event.preventDefault()
    unfold(false)
  })

  function count(): void {
    const set = [...address.filters().keys()].filter((name) => name !== 'as_of').length
    const badge = toggle.querySelector<HTMLElement>('.badge')
    if (badge) {
      badge.textContent = String(set)
      badge.hidden = set === 0
    }
  }
  address.listen(count)
  count()
  return h('aside', { class: 'side', id: 'side' }, head(toggle), numbers(), page.file ? '' : filters, trustSection(), foot(signOut))
}

function head(toggle: HTMLElement): HTMLElement {
  return h(
    'header',
    { class: 'head' },
    h('h1', {}, page.district.name, h('span', { class: 'of' }, text.map)),
    page.file ? '' : toggle,
  )
}

function numbers(): HTMLElement {
  const element = h('section', { class: 'totals', 'aria-label': text.listOf })
  let drawn = ''
  const draw = (known: boolean): void => {
    const parts = totalsOf(known ? now.whole : empty(), known)
    const written = parts.map((part) => part.outerHTML).join('')
    if (written === drawn) return // what is pressed, focused or unfolded stays as long as it says the same
    drawn = written
    element.replaceChildren(...parts)
  }
  listen(() => draw(now.at !== null))
  draw(false)
  return element
}

function totalsOf(counts: Totals, known: boolean): HTMLElement[] {
  const solved = solvedShare(counts)
  const large = h(
    'div',
    { class: 'large' },
    figure(comparing() ? `${text.thisPeriod} · ${text.open}` : text.open, counts.open, address.listLink({ group: OPEN_GROUPS }), known),
    h(
      'div',
      { class: 'rate' },
      h('span', { class: 'label' }, text.solvedShare),
      h('span', { class: 'number' }, solved === null || !known ? '–' : share(solved)),
    ),
  )
  const rows = GROUPS.filter((group) => group !== 'other' || counts.other > 0).map((group) =>
    row(group, counts[group], known),
  )
  const further = [
    counts.unplaced > 0 &&
      h('a', { class: 'unplaced', href: address.listLink({ placed: 'no' }) }, text.unplaced(amount(counts.unplaced))),
    known &&
      now.outside > 0 &&
      h(
        'a',
        { class: 'outside', href: address.listLink({ community: NOWHERE, placed: 'yes' }) },
        text.outsideAll(amount(now.outside)),
      ),
    h('a', { class: 'by-area', href: address.fragment({ kind: page.areas.length > 0 ? 'areas' : 'issues' }) }, text.table),
    presentButton(),
    known && !page.file && exportMenu(now.filters()),
  ]
  const none = known && counts.total === 0 && h('p', { class: 'soft none' }, text.emptyMap)
  return [
    large,
    proportions(counts),
    h('ul', { class: 'groups' }, ...rows),
    h('div', { class: 'further' }, ...further, none),
  ]
}

function figure(name: string, value: number, href: string, known: boolean): HTMLElement {
  return h(
    'a',
    { class: 'figure', href },
    h('span', { class: 'label' }, name),
    h('span', { class: 'number' }, known ? amount(value) : '–'),
    h('span', { class: 'unit' }, text.unit),
  )
}

function row(group: Group, value: number, known: boolean): HTMLElement {
  return h(
    'li',
    {},
    h(
      'a',
      { class: `group ${colourClass(group)}`, href: address.listLink({ group }) },
      mark(group, 18),
      h('span', { class: 'label' }, groupName(group)),
      h('span', { class: 'number' }, known ? amount(value) : '–'),
    ),
  )
}

/** How the groups share the whole, as one bar. */
export function proportions(counts: Totals): HTMLElement {
  const bar = h('div', { class: 'proportions', 'aria-hidden': 'true' })
  for (const group of GROUPS) {
    if (counts[group] === 0) continue
    const part = h('span', { class: colourClass(group) })
    part.style.flexGrow = String(counts[group])
    bar.append(part)
  }
  return bar
}

function foot(signOut: () => void): HTMLElement {
  const out = h('button', { type: 'button', class: 'plain', click: signOut }, text.signOut)
  return h('footer', { class: 'foot' }, page.file ? '' : h('p', { class: 'who' }, out))
}
