// What the map and the lists can be narrowed by; each choice is at once in the address.

import * as address from './address'
import type { FilterName } from './address'
import { h } from './dom'
import { GROUPS, groupName } from './marks'
import { page } from './page'
import { comparing, own, preset, PRESETS, type Period } from './periods'
import { text } from './texts'

const TYPING_MS = 400
const FEWEST_LETTERS = 2

export function filterForm(): HTMLFormElement {
  const clear = h('button', { type: 'button', class: 'clear', click: () => address.clear() }, text.clear)
  const form = h(
    'form',
    { class: 'filters', id: 'filters', role: 'search', 'aria-label': text.filters },
    searchField(),
    placeField(),
    periodField(),
    choiceField('category', text.category, text.everyCategory, categoryOptions()),
    h(
      'div',
      { class: 'pair' },
      choiceField(
        'group',
        text.state,
        text.everyState,
        GROUPS.map((group) => h('option', { value: group }, groupName(group))),
      ),
      choiceField(
        'urgency',
        text.urgency,
        text.everyUrgency,
        (['normal', 'urgent', 'emergency'] as const).map((value) => h('option', { value }, text[value])),
      ),
    ),
    clear,
  )
  const update = (): void => {
    clear.hidden = [...address.filters().keys()].every((name) => name === 'as_of')
  }
  address.listen(update)
  update()
  return form
}

function searchField(): HTMLElement {
  let waiting: ReturnType<typeof setTimeout> | undefined
  const input = h('input', {
    type: 'search',
    name: 'text',
    maxlength: 100,
    placeholder: text.search,
    'aria-label': text.search,
    autocomplete: 'off',
    enterkeyhint: 'search',
    input: typed,
  })
  const hint = h('span', { class: 'small soft', hidden: true }, text.searchHint)

  function typed(): void {
    clearTimeout(waiting)
    const words = input.value.trim()
    hint.hidden = words.length === 0 || words.length >= FEWEST_LETTERS
    waiting = setTimeout(() => address.change({ text: words.length >= FEWEST_LETTERS ? words : null }), TYPING_MS)
  }
  const update = (): void => {
    const set = address.filters().get('text') ?? ''
    if (document.activeElement !== input || input.value.trim().length >= FEWEST_LETTERS) {
      if (input.value.trim() !== set) input.value = set
    }
  }
  address.listen(update)
  update()
  return h('label', { class: 'field' }, input, hint)
}

function choiceField(name: FilterName, label: string, any: string, options: HTMLElement[]): HTMLElement {
  const select = h(
    'select',
    { name, 'aria-label': label, change: () => address.change({ [name]: select.value || null }) },
    h('option', { value: '' }, any),
    ...options,
  )
  const update = (): void => {
    select.value = address.filters().get(name) ?? ''
  }
  address.listen(update)
  update()
  return h('label', { class: 'field' }, h('span', { class: 'name' }, label), select)
}

/** One field for streets and their communities: `s:` and `c:` tell which of the two filters is meant. */
function placeField(): HTMLElement {
  const select = h(
    'select',
    { name: 'place', 'aria-label': text.place, change: chosen },
    h('option', { value: '' }, text.wholeDistrict),
    ...placeOptions(),
  )

  function chosen(): void {
    const code = select.value.slice(2)
    address.change({
      street: select.value.startsWith('s:') ? code : null,
      community: select.value.startsWith('c:') ? code : null,
    })
  }
  const update = (): void => {
    const set = address.filters()
    const community = set.get('community')
    const street = set.get('street')
    select.value = community ? `c:${community}` : street ? `s:${street}` : ''
  }
  address.listen(update)
  update()
  return h(
    'label',
    { class: 'field', hidden: page.areas.length === 0 },
    h('span', { class: 'name' }, text.place),
    select,
  )
}

const CHOSEN = 'chosen' // the option for days that no preset names

/** The days of the report: one of the usual periods, or two days. */
function periodField(): HTMLElement {
  const dayField = (name: 'reported_from' | 'reported_to', label: string): HTMLInputElement => {
    const input = h('input', {
      type: 'date',
      name,
      'aria-label': `${text.period} ${label}`,
      change: () => address.change({ [name]: input.value || null }),
    })
    return input
  }
  const from = dayField('reported_from', text.from)
  const to = dayField('reported_to', text.until)
  const days = h('span', { class: 'pair' }, from, to)
  const select = h(
    'select',
    { name: 'period', 'aria-label': text.period, change: chosen },
    h('option', { value: '' }, text.everyDay),
    ...PRESETS.map((name) => h('option', { value: name }, text.presets[name])),
    h('option', { value: CHOSEN }, text.chosenDays),
  )
  let choosing = false

  function chosen(): void {
    const name = PRESETS.find((one) => one === select.value)
    choosing = select.value === CHOSEN
    if (choosing) days.hidden = false
    else set(name ? preset(name) : null)
  }

  function set(period: Period | null): void {
    address.change({ reported_from: period?.from ?? null, reported_to: period?.to ?? null })
  }

  const update = (): void => {
    const filters = address.filters()
    const period = own()
    const known = PRESETS.find((name) => {
      const wanted = preset(name)
      return period?.from === wanted.from && period.to === wanted.to
    })
    const any = filters.has('reported_from') || filters.has('reported_to')
    if (!any && !choosing) select.value = ''
    else select.value = choosing ? CHOSEN : (known ?? CHOSEN)
    days.hidden = select.value !== CHOSEN
    from.value = filters.get('reported_from') ?? ''
    to.value = filters.get('reported_to') ?? ''
    field.hidden = comparing() // each of the maps then names its own days
  }
  const field = h('div', { class: 'field' }, h('label', {}, h('span', { class: 'name' }, text.period), select), days)
  address.listen(update)
  update()
  return field
}

function placeOptions(): HTMLElement[] {
  const within = (place: number): HTMLElement[] =>
    page.areas.filter((area) => area[2] === place).map(([code, name]) => h('option', { value: `c:${code}` }, name))
  const streets = page.larger.map(([code, name], place) =>
    h('optgroup', { label: name }, h('option', { value: `s:${code}` }, text.wholeStreet(name)), ...within(place)),
  )
  return [...streets, ...within(-1)]
}

function categoryOptions(): HTMLElement[] {
  const parents = new Set(page.categories.map(([, , parent]) => parent))
  const option = ([code, name]: readonly [string, string, string | null]): HTMLElement =>
    h('option', { value: code }, name)
  const groups = page.categories
    .filter(([code, , parent]) => parent === null && parents.has(code))
    .map(([code, name]) =>
      h(
        'optgroup',
        { label: name },
        h('option', { value: code }, text.wholeStreet(name)),
        ...page.categories.filter(([, , parent]) => parent === code).map(option),
      ),
    )
  return [...groups, ...page.categories.filter(([code, , parent]) => parent === null && !parents.has(code)).map(option)]
}
