// A resident's name and phone: masked, and shown for a purpose to those who have something to ask.

import type { Contact, Detail } from './answers'
import { h } from './dom'
import { words } from './notice'
import { Failed, isAbort, Newest, post } from './requests'
import { moment, text } from './texts'

const newest = new Newest()

/** The masked contact of an issue with the way to see it, that it was erased, or nothing when none was told. */
export function contactSection(detail: Detail): HTMLElement[] {
  if (detail.contact_erased_at)
    return [h('p', { class: 'contact soft' }, text.contactErased(moment(detail.contact_erased_at)))]
  if (!detail.contact) return []
  const section = h('section', { class: 'contact', 'aria-label': text.contact }, ...lines(detail.contact, false))
  if (detail.may_reveal) section.append(asking(detail.issue.id, section))
  return [section]
}

function lines(contact: Contact, plain: boolean): HTMLElement[] {
  return [
    h('h3', {}, text.contact),
    h(
      'p',
      { class: 'contact-line' },
      contact.name ? h('span', {}, contact.name) : null,
      contact.phone ? h('span', { class: 'phone' }, plain ? dial(contact.phone) : contact.phone) : null,
    ),
  ]
}

function dial(phone: string): HTMLElement {
  const link = h('a', {}, phone)
  link.href = `tel:${phone.replace(/[^0-9+]/g, '')}` // digits alone: nothing that could be another kind of address
  return link
}

/** A button, and behind it the question what for; the answer takes the place of the masked contact. */
function asking(issue: string, section: HTMLElement): HTMLElement {
  const purpose = h('input', { id: 'purpose', name: 'purpose', required: true, maxlength: 500, autocomplete: 'off' })
  const alert = h('p', { role: 'alert', class: 'complaint', hidden: true })
  const send = h('button', { type: 'submit', class: 'button-main' }, text.contactShow)
  const form = h(
    'form',
    { class: 'purpose', hidden: true, submit: (event) => void sent(event) },
    h('label', { for: 'purpose' }, text.purpose),
    purpose,
    h('p', { class: 'soft small' }, text.purposeKept),
    alert,
    send,
  )
  const open = h(
    'button',
    {
      type: 'button',
      class: 'show-contact',
      click: () => {
        open.hidden = true
        form.hidden = false
        purpose.focus()
      },
    },
    text.contactShow,
  )

  async function sent(event: Event): Promise<void> {
    event.preventDefault()
    if (send.disabled) return
    alert.hidden = true
    send.disabled = true
    try {
      const shown = await newest.run((signal) =>
        post<Contact>(`/api/issues/${issue}/contact`, { purpose: purpose.value }, signal),
      )
      section.replaceChildren(...lines(shown, true))
      section.tabIndex = -1
      section.focus()
    } catch (error) {
      if (isAbort(error)) return
      alert.textContent = said(error)
      alert.hidden = false
      purpose.focus()
    } finally {
      send.disabled = false
    }
  }
  return h('div', {}, open, form)
}

function said(error: unknown): string {
  if (!(error instanceof Failed)) return text.fault
  return error.said ?? words(error.trouble, false)
}
