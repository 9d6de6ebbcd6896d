// The desk's pages: keys, ticked rows, and answers of htmx that are more than a line of text.

import { bulk } from './bulk'
import { maps } from './issue_map'
import { keys } from './keys'

interface Swapping {
  detail: { xhr: XMLHttpRequest; shouldSwap: boolean; isError: boolean }
}

// A move that somebody else was faster with is answered with the issue as it stands now: a refusal that is shown.
document.addEventListener('htmx:beforeSwap', (event) => {
  const { detail } = event as unknown as Swapping
  const page = detail.xhr.getResponseHeader('Content-Type')?.startsWith('text/html')
  if (detail.xhr.status === 409 && page) {
    detail.shouldSwap = true
    detail.isError = false
  }
})

// The field that a refusal is about is marked, and the next place to write.
document.addEventListener('htmx:responseError', (event) => {
  const { xhr, elt } = (event as unknown as { detail: { xhr: XMLHttpRequest; elt: HTMLElement } }).detail
  const form = elt.closest('form')
  if (!form) return
  for (const field of form.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid')
  const named = fieldOf(xhr)
  const field = named && form.elements.namedItem(named)
  if (field instanceof HTMLElement && field.checkVisibility()) {
    field.setAttribute('aria-invalid', 'true')
    field.focus()
  }
})

function fieldOf(answer: XMLHttpRequest): string | undefined {
  try {
    return (JSON.parse(answer.responseText) as { field?: string }).field
  } catch {
    return undefined
  }
}

// What was asked for and is there now is told to who cannot see it, and is where the keyboard goes on.
document.addEventListener('htmx:afterSwap', (event) => {
  const { target } = (event as unknown as { detail: { target: HTMLElement } }).detail
  document.getElementById(target.id)?.querySelector<HTMLElement>('[data-focus]')?.focus()
})

// What belongs to one channel is asked for once that channel is chosen.
function channels(): void {
  for (const select of document.querySelectorAll<HTMLSelectElement>('select[name=channel]'))
    for (const part of select.form?.querySelectorAll<HTMLElement>('[data-if-channel]') ?? []) {
      part.hidden = part.dataset.ifChannel !== select.value
      for (const field of part.querySelectorAll<HTMLInputElement>('input, select')) field.disabled = part.hidden
    }
}

// Leaflet is a script of its own, which has run by then.
document.addEventListener('DOMContentLoaded', maps)
document.addEventListener('toggle', maps, true)
document.addEventListener('htmx:afterSettle', maps)
document.addEventListener('change', channels)
document.addEventListener('htmx:afterSettle', channels)

keys()
bulk()
channels()
if (document.readyState !== 'loading' && 'L' in window) maps()
