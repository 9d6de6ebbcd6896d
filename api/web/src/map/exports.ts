// Takes what is shown along as a file, by the same filters.

import { h } from './dom'
import { english, text } from './texts'

const FORMATS = [
  ['xlsx', 'Excel'],
  ['csv', 'CSV'],
  ['geojson', 'GeoJSON'],
  ['gpkg', 'GeoPackage'],
] as const

/** A small menu of files; each is the list of these filters, in the language of the page. */
export function exportMenu(filters: URLSearchParams): HTMLElement {
  const query = new URLSearchParams(filters)
  query.set('lang', english ? 'en' : 'zh')
  const close = (): void => menu.removeAttribute('open')
  const links = FORMATS.map(([extension, name]) =>
    h('li', {}, h('a', { href: `/api/issues.${extension}?${query}`, click: close }, name)),
  )
  const menu: HTMLElement = h(
    'details',
    { class: 'export', toggle: toggled, focusout: leave, keydown: escape },
    h('summary', {}, text.export),
    h('ul', {}, ...links),
  )

  function toggled(): void {
    if (menu.hasAttribute('open')) document.addEventListener('pointerdown', press)
    else document.removeEventListener('pointerdown', press)
  }
  function press(event: Event): void {
    if (!menu.contains(event.target as Node)) close()
  }
  /** Some browsers give a link that is pressed no focus: then nothing takes it over. */
  function leave(event: Event): void {
    const to = (event as FocusEvent).relatedTarget as Node | null
    if (to && !menu.contains(to)) close()
  }
  function escape(event: Event): void {
    if ((event as KeyboardEvent).key !== 'Escape' || !menu.hasAttribute('open')) return
    event.stopPropagation()
    close()
    menu.querySelector('summary')?.focus()
  }
  return menu
}
