// What is shown, by which places and with which marks; and what its shades mean, with the formula and the classes.

import * as address from './address'
import { listen, now, then } from './figures'
import { h } from './dom'
import { heatClass } from './heat'
import {
  campaign,
  classNames,
  classOf,
  formula,
  groupsOf,
  layer,
  LAYERS,
  layerName,
  level,
  marks,
  written,
  type Marks,
} from './layers'
import { first } from './maps'
import { page } from './page'
import { comparing, own, preset, before, compare, stopComparing } from './periods'
import { difference, differenceClass, differenceScale, differs, scale } from './picture'
import { LEVELS, places } from './places'
import { servicesField } from './services_legend'
import { decimal, day, text } from './texts'
import { isPhone } from './view'

export function legendCard(): HTMLElement {
  const body = h('div', { class: 'legend-body' })
  const title = h('span', { class: 'legend-layer' })
  const brief = h('div', { class: 'brief' })
  const summary = h('summary', {}, h('span', { class: 'soft' }, text.layer), title, brief)
  const card = h('details', { class: 'legend' }, summary, body)
  card.open = !isPhone()
  foldFor(card)

  const meaning = h('div', { class: 'meaning', 'aria-live': 'polite' })
  body.append(layerField(), campaignField(), levelField(), meaning, marksField(), servicesField(), compareButton())

  function draw(): void {
    title.textContent = layerName(layer())
    meaning.replaceChildren(...meaningOf())
    brief.replaceChildren(page.areas.length > 0 && !differs() ? classes() : '')
  }
  listen(draw)
  draw()
  return card
}

const ROOMY = 1700 // pixels of the window, in which the whole legend has its place beside a panel

/** Folds the legend while a panel leaves the map no room for it; what somebody folds themselves stays so. */
function foldFor(card: HTMLDetailsElement): void {
  let folded = false
  const fold = (): void => {
    const narrow = !isPhone() && (comparing() || (address.panel().kind !== 'none' && window.innerWidth < ROOMY))
    if (narrow && card.open && !folded) card.open = false
    else if (!narrow && folded) card.open = true
    folded = narrow
  }
  address.listen(fold)
  fold()
}

function layerField(): HTMLElement {
  const select = h(
    'select',
    {
      name: 'layer',
      'aria-label': text.layer,
      change: () => address.look({ layer: select.value === 'open' ? null : select.value }),
    },
    ...LAYERS.map((one) => h('option', { value: one.name }, layerName(one))),
  )
  const update = (): void => {
    select.value = layer().name
  }
  address.listen(update)
  update()
  return select
}

/** Which campaign's coverage; only where there are several. */
function campaignField(): HTMLElement {
  const select = h(
    'select',
    { name: 'campaign', 'aria-label': text.campaign, change: () => address.look({ campaign: select.value }) },
    ...page.campaigns.map(([id, name]) => h('option', { value: id }, name)),
  )
  const update = (): void => {
    select.value = campaign() ?? ''
    select.hidden = layer().name !== 'coverage' || page.campaigns.length < 2
  }
  address.listen(update)
  update()
  return select
}

/** One of a few, as buttons side by side. */
export function choice<Name extends string>(
  label: string,
  names: Array<[Name, string]>,
  chosen: () => Name,
  choose: (name: Name) => void,
): HTMLElement {
  const buttons = names.map(([name, words]) =>
    h('button', { type: 'button', 'data-choice': name, click: () => choose(name) }, words),
  )
  const update = (): void => {
    for (const button of buttons) button.setAttribute('aria-pressed', String(button.dataset.choice === chosen()))
  }
  address.listen(update)
  update()
  return h('div', { class: 'choice', role: 'group', 'aria-label': label }, ...buttons)
}

function levelField(): HTMLElement {
  const there = LEVELS.filter((one) => places(one).length > 0)
  const names = there.map((one) => [one, text.levels[one]] as [typeof one, string])
  const field = choice(text.levelOf, names, level, (one) => address.look({ by: one === 'community' ? null : one }))
  field.hidden = there.length < 2
  return field
}

function marksField(): HTMLElement {
  const names: Array<[Marks, string]> = [
    ['clusters', text.marks.clusters],
    ['heat', text.marks.heat],
    ['none', text.marks.none],
  ]
  const field = choice(text.marksOf, names, marks, (one) => address.look({ marks: one }))
  const update = (): void => {
    const heat = field.querySelector<HTMLButtonElement>('[data-choice=heat]')
    if (heat) heat.disabled = !layer().ofIssues
  }
  address.listen(update)
  update()
  return field
}

function compareButton(): HTMLElement {
  const button = h('button', { type: 'button', class: 'compare', click: toggle }, text.compare)
  function toggle(): void {
    const period = own() ?? preset('last30')
    if (comparing()) stopComparing()
    else compare(period, before(period))
  }
  const update = (): void => {
    button.setAttribute('aria-pressed', String(comparing()))
    button.textContent = comparing() ? text.stopComparing : text.compare
    button.hidden = page.file !== undefined || page.areas.length === 0
  }
  address.listen(update)
  update()
  return button
}

function meaningOf(): HTMLElement[] {
  const parts: Array<HTMLElement | false> = [
    h('p', { class: 'formula' }, formula(layer())),
    page.areas.length > 0 && classes(),
    ...untold(),
    ...periodTold(),
    differs() && h('p', { class: 'formula' }, text.differenceFormula),
    differs() && changes(),
    marks() === 'clusters' && h('p', { class: 'small soft rings' }, text.legendRings),
    marks() === 'heat' && heatScale(),
    otherFilters() && h('p', { class: 'small soft' }, text.onlyPlaces),
  ]
  return parts.filter((part) => part !== false)
}

/** Each class with its numbers, and how many places are in it. */
function classes(): HTMLElement {
  const breaks = scale()
  const sides = comparing() && !differs() ? [now, then] : [now]
  const values = sides.flatMap((side) => places(level()).flatMap((place) => side.of(layer(), place).value ?? []))
  const counts = classNames(layer(), breaks).map((_, at) => values.filter((value) => classOf(breaks, value) === at).length)
  return h(
    'ol',
    { class: 'scale' },
    ...classNames(layer(), breaks).map((name, at) =>
      h(
        'li',
        {},
        h('span', { class: `swatch ${layer().ramp}-${Math.min(4, at)}` }),
        h('span', { class: 'number' }, name),
        h('span', { class: 'soft many', title: text.places(counts[at] ?? 0) }, `×${counts[at] ?? 0}`),
      ),
    ),
  )
}

/** The textures of what is not told, as far as there is any. */
function untold(): HTMLElement[] {
  const values = places(level()).map((place) => now.of(layer(), place))
  const few = values.filter((value) => value.few).length
  const nothing = values.filter((value) => value.value === null && !value.few).length
  const line = (className: string, words: string): HTMLElement =>
    h('p', { class: 'small untold' }, h('span', { class: `swatch ${className}` }), words)
  return [
    ...(few > 0 ? [line('few', text.fewTold(few))] : []),
    ...(nothing > 0 && now.at !== null ? [line('nothing', text.nothingTold(nothing))] : []),
  ]
}

function periodTold(): HTMLElement[] {
  const days = layer().name === 'visits' ? now.days() : null
  return days ? [h('p', { class: 'small soft' }, `${day(days[0])} – ${day(days[1])}`)] : []
}

function changes(): HTMLElement {
  const values = places(level()).flatMap((place) => difference(place) ?? [])
  const [least, much] = differenceScale()
  const size = (value: number): string => (layer().unit === 'share' ? `${decimal(value * 100)}` : written(layer(), value))
  const names: Array<[number, string]> = [
    [-2, `≥${size(much)}`],
    [-1, `≥${size(least)}`],
    [0, '≈'],
    [1, `≥${size(least)}`],
    [2, `≥${size(much)}`],
  ]
  return h(
    'div',
    {},
    h('p', { class: 'ends small' }, h('span', {}, text.worse), h('span', {}, text.better)),
    h(
      'ol',
      { class: 'scale' },
      ...names.map(([step, name]) =>
        h(
          'li',
          {},
          h('span', { class: `swatch change-${step < 0 ? 'worse' : step > 0 ? 'better' : 'same'}-${Math.abs(step)}` }),
          h('span', { class: 'number' }, name),
          h('span', { class: 'soft many' }, `×${values.filter((value) => differenceClass(value) === step).length}`),
        ),
      ),
    ),
  )
}

function heatScale(): HTMLElement {
  const groups = groupsOf(layer())
  const firsts = first.heat.firsts
  return h(
    'div',
    { class: 'rings' },
    h('p', { class: 'small' }, groups.length > 0 ? text.heatOf(layerName(layer())) : text.heatOfAll),
    h(
      'ol',
      { class: 'scale' },
      ...firsts.map((value, at) =>
        h('li', {}, h('span', { class: `swatch ${heatClass(at)}` }), h('span', { class: 'number' }, `${written({ ...layer(), unit: 'per_km2' }, value)}+`)),
      ),
    ),
  )
}

/** Whether filters are set that this layer does not follow. */
function otherFilters(): boolean {
  if (layer().name !== 'visits' && layer().name !== 'coverage') return false
  const followed = ['community', 'street', 'as_of', ...(layer().name === 'visits' ? ['reported_from', 'reported_to'] : [])]
  return [...address.filters().keys()].some((name) => !followed.includes(name))
}

