// The bar above the map: the same way to the other pages as everywhere.

import * as address from './address'
import { h } from './dom'
import { page } from './page'
import { english, text } from './texts'

export function bar(): HTMLElement {
  if (page.file) return fileBar()
  const language = h('a', { lang: english ? 'zh-CN' : 'en', hreflang: english ? 'zh-CN' : 'en', href: '?' }, text.otherLanguage)
  const update = (): void => {
    const other = new URLSearchParams(location.search)
    other.set('lang', english ? 'zh' : 'en')
    language.setAttribute('href', `?${other}${location.hash}`)
  }
  address.listen(update)
  window.addEventListener('hashchange', update)
  update()
  const tail = english ? '?lang=en' : ''
  return h(
    'header',
    { class: 'shell-bar' },
    h('a', { class: 'shell-brand', href: `/${tail}` }, h('span', {}, text.brand), h('span', { class: 'soft small' }, page.district.name)),
    h(
      'nav',
      { class: 'shell-ways', 'aria-label': text.pages },
      ...page.ways.map(([, href, title, here]) => h('a', { href, 'aria-current': here ? 'page' : null }, title)),
    ),
    h(
      'div',
      { class: 'shell-self' },
      language,
      h('a', { class: 'reader', href: `/account${tail}`, title: text.account }, page.reader),
    ),
  )
}

/** What a file is: made when, by whom and for whom, of what. */
function fileBar(): HTMLElement {
  const { told } = page.file ?? { told: [] }
  return h(
    'header',
    { class: 'shell-bar file-bar' },
    h('span', { class: 'shell-brand' }, text.brand),
    h('dl', { class: 'file-told' }, ...told.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])),
  )
}
