// One community's numbers, and all communities side by side; each number opens its list.

import * as address from './address'
import { countsOf, nameOf, setShade, shade, solvedShare, streetOf, type Totals } from './areas'
import { h } from './dom'
import { colourClass, GROUPS, groupName, mark, OPEN_GROUPS } from './marks'
import { page } from './page'
import { proportions } from './side'
import { amount, share, text } from './texts'

export function areaPanel(code: string): HTMLElement[] {
  const counts = countsOf(code)
  const solved = solvedShare(counts)
  return [
    h('p', { class: 'soft' }, streetOf(code) ?? page.district.name),
    h('h2', { class: 'panel-title', tabindex: '-1' }, nameOf(code) ?? code),
    h(
      'div',
      { class: 'large' },
      h(
        'a',
        { class: 'figure', href: address.listLink({ community: code, group: OPEN_GROUPS }) },
        h('span', { class: 'label' }, text.open),
        h('span', { class: 'number' }, amount(counts.open)),
        h('span', { class: 'unit' }, text.unit),
      ),
      h(
        'div',
        { class: 'rate' },
        h('span', { class: 'label' }, text.solvedShare),
        h('span', { class: 'number' }, solved === null ? '–' : share(solved)),
      ),
    ),
    proportions(counts),
    h(
      'ul',
      { class: 'groups' },
      ...GROUPS.map((group) =>
        h(
          'li',
          {},
          h(
            'a',
            { class: `group ${colourClass(group)}`, href: address.listLink({ community: code, group }) },
            mark(group, 18),
            h('span', { class: 'label' }, groupName(group)),
            h('span', { class: 'number' }, amount(counts[group])),
          ),
        ),
      ),
      h(
        'li',
        {},
        h(
          'a',
          { class: 'group all', href: address.listLink({ community: code }) },
          h('span', { class: 'label' }, text.all),
          h('span', { class: 'number' }, amount(counts.total)),
        ),
      ),
    ),
    h('a', { class: 'back', href: address.fragment({ kind: 'areas' }) }, `‹ ${text.byArea}`),
  ]
}

export function areasPanel(): HTMLElement[] {
  const kind = shade()
  const rows = page.areas.map(([code, name]) => ({ code, name, counts: countsOf(code) }))
  const value = (counts: Totals): number => (kind === 'open' ? counts.open : (solvedShare(counts) ?? 2))
  rows.sort((one, other) =>
    kind === 'open' ? value(other.counts) - value(one.counts) : value(one.counts) - value(other.counts),
  )
  const most = Math.max(1, ...rows.map(({ counts }) => counts.open))
  const choice = (wanted: 'open' | 'solved', name: string): HTMLElement =>
    h('button', { type: 'button', 'aria-pressed': String(kind === wanted), click: () => setShade(wanted) }, name)
  return [
    h('h2', { class: 'panel-title', tabindex: '-1' }, text.byArea),
    h(
      'div',
      { class: 'choice', role: 'group', 'aria-label': text.shade },
      choice('open', text.shadeOpen),
      choice('solved', text.shadeSolved),
    ),
    h(
      'ol',
      { class: 'ranking' },
      ...rows.map(({ code, name, counts }) =>
        rankRow(code, name, counts, kind === 'open' ? counts.open / most : (solvedShare(counts) ?? 0)),
      ),
    ),
  ]
}

function rankRow(code: string, name: string, counts: Totals, length: number): HTMLElement {
  const solved = solvedShare(counts)
  const open = shade() === 'open'
  const bar = h('span', { class: `bar ${open ? 'by-open' : 'by-share'}`, 'aria-hidden': 'true' })
  bar.style.width = `${length * 100}%`
  const groups = open ? OPEN_GROUPS : ['solved']
  return h(
    'li',
    {},
    h(
      'a',
      { class: 'rank-name', href: address.fragment({ kind: 'area', code }) },
      h('span', {}, name),
      h('span', { class: 'soft small' }, streetOf(code) ?? ''),
    ),
    h(
      'a',
      { class: 'rank-number number', href: address.listLink({ community: code, group: groups }) },
      open ? amount(counts.open) : solved === null ? '–' : share(solved),
      h('span', { class: 'only-spoken' }, ` ${text.listOf}`),
    ),
    h('span', { class: 'track' }, bar),
  )
}
