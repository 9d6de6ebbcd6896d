// The list: each member with their doors, chosen by boxes to be ticked; all that the map can do, without a map.

import { h } from '../map/dom'
import { colourOf } from './doors_map'
import { amount, byId, distance, say } from './page'
import { doorsOf, state, type Door, type Member } from './state'

const AT_ONCE = 200 // doors of one member shown before more are asked for

const opened = new Set<string>()

export function draw(chosen: () => void): void {
  byId('members').replaceChildren(
    row(null, chosen),
    ...state.members.map((member) => row(member, chosen)),
  )
}

function row(member: Member | null, chosen: () => void): HTMLElement {
  const doors = doorsOf(member?.id ?? null)
  const key = member?.id ?? ''
  const swatch = h('span', { class: 'swatch', 'aria-hidden': 'true' })
  swatch.style.background = colourOf(member?.id ?? null)
  const unit = say('户', doors.length === 1 ? 'door' : 'doors')
  const ours = member?.organisation_name
  const about = ours ? `${amount(doors.length)} ${unit} · ${distance(member.metres)}` : `${amount(doors.length)} ${unit}`
  const summary = h(
    'summary',
    {},
    swatch,
    h('span', { class: 'name' }, member?.name ?? say('未分配', 'Nobody')),
    member?.away ? h('span', { class: 'away' }, ours ? say('离岗', 'away') : say('不归您分配', 'not yours')) : null,
    h('span', { class: 'about soft small' }, about),
    member ? h('span', { class: 'where soft small' }, member.organisation_name) : null,
  )
  const details = h('details', {}, summary)
  if (opened.has(key)) fill(details, doors, chosen)
  details.open = opened.has(key)
  details.addEventListener('toggle', () => {
    if (details.open && !opened.has(key)) {
      opened.add(key)
      fill(details, doors, chosen)
      state.shown = member?.id ?? null
      chosen()
    } else if (!details.open && opened.delete(key) && state.shown === (member?.id ?? null)) {
      state.shown = null
      chosen()
    }
  })
  return h('li', { 'data-member': key, class: member?.away ? 'is-away' : null }, details)
}

function fill(details: HTMLElement, doors: Door[], chosen: () => void, from = 0): void {
  details.querySelector('.more')?.remove()
  const part = doors.slice(from, from + AT_ONCE)
  const list = details.querySelector('ol') ?? details.appendChild(h('ol'))
  list.append(...part.map((door, at) => line(door, door.member ? from + at + 1 : 0, chosen)))
  if (from === 0 && doors.length > 1) details.insertBefore(all(details, doors, chosen), list)
  if (from + AT_ONCE < doors.length)
    details.append(
      h(
        'button',
        { type: 'button', class: 'more', click: () => fill(details, doors, chosen, from + AT_ONCE) },
        say('显示更多', 'Show more'),
      ),
    )
}

function all(details: HTMLElement, doors: Door[], chosen: () => void): HTMLElement {
  const choose = (): void => {
    const add = !doors.every((door) => state.selected.has(door.id))
    for (const door of doors) if (add) state.selected.add(door.id)
    else state.selected.delete(door.id)
    for (const box of details.querySelectorAll<HTMLInputElement>('input')) box.checked = add
    chosen()
  }
  return h('button', { type: 'button', class: 'all', click: choose }, say('全选 / 全不选', 'All or none'))
}

function line(door: Door, nth: number, chosen: () => void): HTMLElement {
  const box = h('input', { type: 'checkbox', 'data-door': door.id })
  box.checked = state.selected.has(door.id)
  box.addEventListener('change', () => {
    if (box.checked) state.selected.add(door.id)
    else state.selected.delete(door.id)
    chosen()
  })
  const place = nth ? `${nth}. ` : ''
  return h(
    'li',
    {},
    h(
      'label',
      {},
      box,
      h('span', {}, `${place}${door.name ?? say('（文字已删除）', '(text forgotten)')}`),
      h('span', { class: 'soft small' }, door.address ?? '', door.lon === null ? say(' · 无位置', ' · no position') : ''),
    ),
  )
}

/** Ticks the boxes of what was chosen on the map. */
export function tick(): void {
  for (const box of document.querySelectorAll<HTMLInputElement>('[data-door]'))
    box.checked = state.selected.has(box.dataset.door ?? '')
}
