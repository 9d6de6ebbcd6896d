// The photos and files of an issue: small, in a row, each opening what it stands for.

import { h } from './dom'
import { get, isAbort, Newest } from './requests'
import { moment, text } from './texts'

interface Photo {
  sha256: string
  kind: 'photo' | 'document'
  bytes: number
  received_at: string
}

const newest = new Newest()
const HASH = /^[0-9a-f]{64}$/

/** A section that shows itself once there is something in it; on a past day, what had come by then. */
export function photoSection(issue: string, day: URLSearchParams): HTMLElement {
  const section = h('section', { class: 'photos', 'aria-label': text.photos, hidden: true })
  void fill(section, issue, day)
  return section
}

async function fill(section: HTMLElement, issue: string, day: URLSearchParams): Promise<void> {
  const path = `/api/issues/${issue}/photos`
  try {
    const { items } = await newest.run((signal) => get<{ items: Photo[] }>(path, day, signal))
    const shown = items.filter((item) => HASH.test(item.sha256))
    if (shown.length === 0) return
    section.append(
      h('h3', {}, text.photos),
      h('ul', {}, ...shown.map((item, index) => h('li', {}, link(path, item, index + 1, day)))),
    )
  } catch (error) {
    if (isAbort(error)) return
    section.append(h('p', { class: 'soft small' }, text.photosUnseen))
  }
  section.hidden = false
}

function link(path: string, item: Photo, number: number, day: URLSearchParams): HTMLElement {
  const query = day.size > 0 ? `?${day}` : ''
  const address = `${path}/${item.sha256}`
  const open = { href: `${address}${query}`, target: '_blank', rel: 'noopener' }
  const came = moment(item.received_at)
  if (item.kind === 'document')
    return h('a', { ...open, class: 'document' }, text.document(number, Math.ceil(item.bytes / 1000)), ' · ', came)
  return h(
    'a',
    open,
    h('img', {
      src: `${address}/thumbnail${query}`,
      alt: text.photoAlt(number, came),
      title: came,
      loading: 'lazy',
      decoding: 'async',
    }),
  )
}
