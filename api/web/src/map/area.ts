// One place's numbers; each opens its list.

import * as address from './address'
import { now, then } from './figures'
import { h } from './dom'
import { formula, layer, layerName, listOf, narrowingOf, signed } from './layers'
import { colourClass, GROUPS, groupName, mark, OPEN_GROUPS } from './marks'
import { page } from './page'
import { comparing } from './periods'
import { difference, saidValue } from './picture'
import { placeOf, type Level, type Place } from './places'
import { proportions } from './side'
import { amount, text } from './texts'

export function areaPanel(level: Level, key: string): HTMLElement[] {
  const place = placeOf(level, key)
  const back = h('a', { class: 'back', href: address.fragment({ kind: 'areas' }) }, `‹ ${text.byLevel(text.levels[level])}`)
  if (!place)
    return [h('h2', { class: 'panel-title', tabindex: '-1' }, key), h('p', { class: 'soft state' }, text.noSuchPlace), back]
  const counts = now.counts(place.codes)
  const narrowing = narrowingOf(place)
  return [
    h('p', { class: 'soft' }, place.beside || page.district.name),
    h('h2', { class: 'panel-title', tabindex: '-1' }, place.name),
    h(
      'div',
      { class: 'large' },
      h(
        'a',
        { class: 'figure', href: address.listLink({ ...narrowing, group: OPEN_GROUPS }) },
        h('span', { class: 'label' }, text.open),
        h('span', { class: 'number' }, amount(counts.open)),
        h('span', { class: 'unit' }, text.unit),
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
            { class: `group ${colourClass(group)}`, href: address.listLink({ ...narrowing, group }) },
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
          { class: 'group all', href: address.listLink(narrowing) },
          h('span', { class: 'label' }, text.all),
          h('span', { class: 'number' }, amount(counts.total)),
        ),
      ),
    ),
    layerFigure(place),
    ...(level === 'area' && place.codes.length > 1 ? [madeOf(place)] : []),
    back,
  ]
}

/** What the layer that is shown says of it. */
function layerFigure(place: Place): HTMLElement {
  const value = now.of(layer(), place)
  const change = comparing() ? difference(place) : null
  return h(
    'section',
    { class: 'layer-figure' },
    h('h3', {}, layerName(layer())),
    h(
      'p',
      {},
      h('a', { class: 'number', href: listOf(layer(), place, value.few, now) }, saidValue(value)),
    ),
    comparing() &&
      h(
        'p',
        {},
        `${text.otherPeriod} `,
        h('a', { href: listOf(layer(), place, then.of(layer(), place).few, then) }, saidValue(then.of(layer(), place))),
        change === null ? '' : ` · ${signed(layer(), change)}`,
      ),
    h('p', { class: 'small soft' }, formula(layer())),
    value.few && h('p', { class: 'small soft' }, text.fewRule),
  )
}

function madeOf(place: Place): HTMLElement {
  const names = place.members.map((at) => page.areas[at]?.[1] ?? '')
  return h('p', { class: 'small soft' }, `${text.levels.community}: ${names.join('、')}`)
}
