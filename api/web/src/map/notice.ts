// What goes wrong is said once, at the top of the map, with the way out of it.

import { h } from './dom'
import type { Trouble } from './requests'
import { text } from './texts'

const RETRY_MS = 6_000

const element = h('div', { class: 'notice', role: 'status', 'aria-live': 'polite', hidden: true })
const progress = h('div', { class: 'progress', hidden: true, 'aria-hidden': 'true' })
let timer: ReturnType<typeof setTimeout> | undefined
let under = 0
const waiting: Array<() => void> = []
let soon: ReturnType<typeof setTimeout> | undefined

export const notice: HTMLElement = element
export const progressBar: HTMLElement = progress

export function signInLink(): string {
  return `/sign-in?${new URLSearchParams({ next: location.pathname + location.search + location.hash })}`
}

/** The words for a trouble; `known` says whether older numbers still stand on the page. */
export function words(trouble: Trouble, known: boolean): string {
  switch (trouble) {
    case 'offline':
      return known ? text.offline : text.offlineFirst
    case 'signed_out':
      return text.signedOut
    case 'refused':
      return text.refused
    case 'not_found':
      return text.notFound
    case 'busy':
      return text.busy
    case 'fault':
      return text.fault
  }
}

export function wayOut(trouble: Trouble, retry: () => void): HTMLElement | null {
  if (trouble === 'signed_out') return h('a', { href: signInLink(), class: 'button button-main' }, text.signIn)
  if (trouble === 'refused' || trouble === 'not_found') return null
  return h('button', { type: 'button', click: retry }, text.retry)
}

export function complain(trouble: Trouble, said: string | null, known: boolean, retry: () => void): void {
  clearTimeout(timer)
  const saying = trouble === 'fault' && said ? said : words(trouble, known)
  element.replaceChildren(h('span', {}, saying), wayOut(trouble, retry) ?? '')
  element.className = `notice ${trouble}`
  element.hidden = false
  if (trouble === 'offline' || trouble === 'busy') timer = setTimeout(retry, RETRY_MS)
}

/** The connection is gone: said at once, before anything is asked for. */
export function gone(known: boolean, retry: () => void): void {
  complain('offline', null, known, retry)
}

export function allIsWell(): void {
  clearTimeout(timer)
  element.hidden = true
}

/** Resolves when nothing is under way any more. */
export function idle(): Promise<void> {
  return under === 0
    ? Promise.resolve()
    : new Promise((resolve) => {
        waiting.push(resolve)
      })
}

/** Shows that something is under way, but not for what is quick. */
export async function during<Answer>(work: Promise<Answer>): Promise<Answer> {
  under += 1
  soon ??= setTimeout(() => {
    progress.hidden = false
  }, 200)
  try {
    return await work
  } finally {
    under -= 1
    if (under === 0) {
      clearTimeout(soon)
      soon = undefined
      progress.hidden = true
      for (const resolve of waiting.splice(0)) resolve()
    }
  }
}
