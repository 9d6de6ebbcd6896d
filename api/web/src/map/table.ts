// The table beside the map: the same places with the same numbers, of what is in view; sorted by any column.

import * as address from './address'
import { now, tell, then, type Figures, type Value } from './figures'
import { h } from './dom'
import { choice } from './legend'
import { layer, layerName, level, listOf, signed, written } from './layers'
import { first, hover, watch } from './maps'
import { map } from './page'
import { comparing } from './periods'
import { difference, differenceClass } from './picture'
import { places, type Place } from './places'
import { amount, text } from './texts'

interface Column {
  name: string
  key: string
  value: (place: Place) => number | string | null
  cell: (place: Place) => Array<Node | string>
}

let sortedBy: { key: string; down: boolean } = { key: 'value', down: true }
let inViewOnly = true

/** The switch between places and issues at the head of both tables. */
export function tableTabs(shown: 'areas' | 'issues'): HTMLElement {
  return choice(
    text.table,
    [
      ['areas', text.tableOfPlaces],
      ['issues', text.tableOfIssues],
    ],
    () => shown,
    (wanted) => address.show({ kind: wanted }),
  )
}

export function placesTable(): HTMLElement[] {
  const inView = places(level()).filter((place) => first.shapes.within(place, map.getBounds()))
  const rows = sorted(inViewOnly ? inView : places(level()))
  const only = h('input', {
    type: 'checkbox',
    checked: inViewOnly,
    change: () => {
      inViewOnly = only.checked
      tell()
    },
  })
  return [
    h('h2', { class: 'panel-title', tabindex: '-1' }, `${text.byLevel(text.levels[level()])} · ${layerName(layer())}`),
    tableTabs('areas'),
    h(
      'label',
      { class: 'in-view-only' },
      only,
      h('span', {}, text.inViewOnly(amount(inView.length), amount(places(level()).length))),
    ),
    rows.length > 0 ? table(rows) : h('p', { class: 'soft state' }, text.noPlaces),
  ]
}

function columns(): Column[] {
  const shown = layer()
  const figure = (side: Figures, key: string, name: string): Column => ({
    name,
    key,
    value: (place) => side.of(shown, place).value,
    cell: (place) => figureCell(side, place),
  })
  const name: Column = { name: text.levels[level()], key: 'name', value: (place) => place.name, cell: nameCell }
  if (comparing())
    return [
      name,
      figure(now, 'value', text.thisPeriod),
      figure(then, 'then', text.otherPeriod),
      { name: text.difference, key: 'difference', value: difference, cell: changeCell },
    ]
  const besides: Column[] = (['open', 'overdue'] as const)
    .filter((group) => group !== shown.name)
    .map((group) => ({
      name: text[group],
      key: group,
      value: (place) => now.counts(place.codes)[group],
      cell: (place) => [
        h('a', { href: listOf({ ...shown, name: group }, place, false, now) }, amount(now.counts(place.codes)[group])),
      ],
    }))
  const of: Column[] =
    shown.unit === 'share' || shown.unit === 'per_day'
      ? [{ name: text.denominators[shown.name] ?? '', key: 'of', value: made, cell: (place) => [madeOf(place)] }]
      : []
  return [name, figure(now, 'value', layerName(shown)), ...of, ...besides]
}

/** What a value is made of: its denominator, or for visits per day all visits. */
function made(place: Place): number | null {
  const { numerator, denominator } = now.of(layer(), place)
  return layer().unit === 'per_day' ? numerator : denominator
}

function madeOf(place: Place): string {
  const value = made(place)
  return now.of(layer(), place).few ? text.few : value === null ? '–' : amount(value)
}

function nameCell(place: Place): Node[] {
  const href = address.fragment({ kind: 'area', level: place.level, key: place.key })
  return [h('a', { href }, place.name), ...(place.beside ? [h('span', { class: 'soft small' }, place.beside)] : [])]
}

function figureCell(side: Figures, place: Place): Node[] {
  const value = side.of(layer(), place)
  return [h('a', { class: 'number', href: listOf(layer(), place, value.few, side) }, said(value))]
}

function said({ value, few }: Value): string {
  if (few) return text.few
  return value === null ? '–' : written(layer(), value)
}

function changeCell(place: Place): Node[] {
  const change = difference(place)
  if (change === null) return [h('span', { class: 'soft' }, '–')]
  const step = differenceClass(change)
  const className = step < 0 ? 'worse' : step > 0 ? 'better' : 'same'
  return [
    h('span', { class: `change ${className}` }, signed(layer(), change)),
    h('span', { class: 'only-spoken' }, step < 0 ? text.worse : step > 0 ? text.better : ''),
  ]
}

function sorted(rows: Place[]): Place[] {
  const column = columns().find(({ key }) => key === sortedBy.key) ?? columns()[1]
  if (!column) return rows
  const direction = sortedBy.down ? -1 : 1
  return [...rows].sort((one, other) => {
    const [a, b] = [column.value(one), column.value(other)]
    if (a === null || b === null) return Number(a === null) - Number(b === null) // what is not told comes last
    if (typeof a === 'string' || typeof b === 'string') return direction * String(a).localeCompare(String(b), 'zh')
    return direction * (a - b)
  })
}

function table(rows: Place[]): HTMLElement {
  const shown = columns()
  const head = shown.map(({ name, key }) => heading(name, key))
  const body = rows.map((place) => row(place, shown))
  return h(
    'div',
    { class: 'table-scroll' },
    h('table', { class: 'places' }, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...body)),
  )
}

function heading(name: string, key: string): HTMLElement {
  const here = sortedBy.key === key
  const sort = (): void => {
    sortedBy = { key, down: here ? !sortedBy.down : key !== 'name' }
    tell()
    document.querySelector<HTMLElement>(`.places [data-key="${key}"]`)?.focus()
  }
  return h(
    'th',
    { scope: 'col', 'aria-sort': here ? (sortedBy.down ? 'descending' : 'ascending') : 'none' },
    h('button', { type: 'button', class: 'plain sort', 'data-key': key, click: sort }, name, arrow(here)),
  )
}

function arrow(here: boolean): HTMLElement {
  return h('span', { class: 'arrow', 'aria-hidden': 'true' }, here ? (sortedBy.down ? '▼' : '▲') : '')
}

function row(place: Place, shown: Column[]): HTMLElement {
  const cells = shown.map(({ key, cell }) =>
    key === 'name' ? h('th', { scope: 'row' }, ...cell(place)) : h('td', {}, ...cell(place)),
  )
  return h(
    'tr',
    {
      'data-place': place.key,
      mouseenter: () => hover(place, 'table'),
      mouseleave: () => hover(null, 'table'),
      focusin: () => hover(place, 'table'),
      focusout: () => hover(null, 'table'),
    },
    ...cells,
  )
}

watch((place, from) => {
  for (const one of document.querySelectorAll<HTMLElement>('.places tr[data-place]')) {
    const here = one.dataset.place === place?.key
    one.classList.toggle('hovered', here)
    if (here && from === 'map') one.scrollIntoView({ block: 'nearest' })
  }
})
