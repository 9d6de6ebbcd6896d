// How far the numbers can be trusted: what has no certain place, and when the history was last verified.

import * as address from './address'
import type { Trust } from './answers'
import { h } from './dom'
import { listen, now } from './figures'
import { NOWHERE } from './places'
import { get, isAbort, Newest } from './requests'
import { amount, moment, share, text } from './texts'

const newest = new Newest()
let known: Trust | null = null
let knownFor = ''
const watchers: Array<() => void> = []

/** Reads it for the issues that are shown; what is known already is not asked for again. */
export async function askTrust(): Promise<void> {
  const query = now.filters()
  const key = `${query}|${now.at}`
  if (key === knownFor) return
  try {
    known = await newest.run((signal) => get<Trust>('/maps/issues/trust', query, signal))
    knownFor = key
  } catch (error) {
    if (isAbort(error)) return
    known = null // the numbers themselves say what is wrong
  }
  for (const watcher of watchers) watcher()
}

/** What is known of it, as parts of a sentence; each number opens what it counts. */
export function trustParts(): HTMLElement[] {
  if (!known) return [h('span', { class: 'soft' }, text.loading)]
  const parts: Array<HTMLElement | false> = [
    part(text.trust.unplaced, known.unplaced, known.issues, address.listLink({ placed: 'no' })),
    part(text.trust.nearLine, known.near_line, known.issues, address.listLink({ certainty: 'near_line' })),
    part(text.trust.outside, known.outside, known.issues, address.listLink({ community: NOWHERE, placed: 'yes' })),
    known.provisional > 0 &&
      part(text.trust.provisional, known.provisional, known.issues, address.listLink({ provisional: 'yes' })),
    h('span', { class: `verified ${known.holds === false ? 'broken' : ''}` }, verified(known)),
  ]
  return parts.filter((one) => one !== false)
}

function part(name: string, count: number, of: number, href: string): HTMLElement {
  const number = h('span', { class: 'number' }, amount(count))
  const said = of > 0 ? ` (${share(count / of)})` : ''
  return h('span', { class: 'trust-part' }, `${name} `, h('a', { href }, number), h('span', { class: 'soft' }, said))
}

function verified({ verified_at, holds }: Trust): string {
  if (verified_at === null) return text.trust.neverVerified
  return holds ? text.trust.verified(moment(verified_at)) : text.trust.broken(moment(verified_at))
}

/** Folded away at the side; asked for when it is opened, and in a meeting. */
export function trustSection(): HTMLElement {
  const body = h('div', { class: 'trust-body' })
  const section = h('details', { class: 'trust', toggle: opened }, h('summary', {}, text.trust.title), body)
  function opened(): void {
    if (section.hasAttribute('open')) void askTrust()
  }
  const draw = (): void => body.replaceChildren(...trustParts())
  watchers.push(draw)
  listen(() => {
    if (section.hasAttribute('open')) void askTrust()
  })
  return section
}

export function watchTrust(watcher: () => void): void {
  watchers.push(watcher)
}
