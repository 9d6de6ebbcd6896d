// Forms of rules that are more than a row of fields: a week of office hours, limits by urgency, reminders and levels.

import { english, say } from './words'

type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
type Body = { [name: string]: Json }

const OPENING = /^(\d{1,2}:\d{2})\s*[-–—~]\s*(\d{1,2}:\d{2})$/

class Unreadable extends Error {}

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((one) => one.startsWith(`${name}=`))
  return found?.slice(name.length + 1) ?? ''
}

function plain(form: HTMLFormElement): Body {
  const found: Body = {}
  for (const field of form.elements) {
    const named = (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) && field.name && !field.closest('[data-limit]')
    if (named) found[field.name] = field.type === 'number' ? Number(field.value) : field.value
  }
  return found
}

function minute(text: string): string {
  return text.padStart(5, '0')
}

function day(text: string): Json[] {
  const parts = text.split(/[\s,，、;；]+/).filter(Boolean)
  return parts.map((part) => {
    const found = OPENING.exec(part)
    if (!found) throw new Unreadable(say(`“${part}”应如 09:00-12:00`, `${part} should be as 09:00-12:00`))
    return { opens: minute(found[1] ?? ''), closes: minute(found[2] ?? '') }
  })
}

function hours(form: HTMLFormElement): Body {
  const { id, valid_from, expected_version } = plain(form)
  const week: Body = {}
  for (const field of form.querySelectorAll<HTMLInputElement>('[data-day]')) week[field.dataset.day ?? ''] = day(field.value)
  return { id: id ?? '', valid_from: valid_from ?? '', expected_version: Number(expected_version), week }
}

function spans(form: HTMLFormElement, selector: string): { amount: string; unit: string }[] {
  return [...form.querySelectorAll<HTMLElement>(selector)]
    .map((one) => ({ amount: one.querySelector('input')?.value ?? '', unit: one.querySelector('select')?.value ?? '' }))
    .filter((one) => one.amount !== '')
}

function deadlines(form: HTMLFormElement): Body {
  return {
    reminders: spans(form, '[data-reminder]').map(({ amount, unit }): Body =>
      unit === 'percent' ? { percent: Number(amount) } : { amount: Number(amount), unit },
    ),
    escalations: spans(form, '[data-escalation]').map(({ amount, unit }): Body => ({ amount: Number(amount), unit })),
  }
}

function limit(fields: HTMLElement): Body | null {
  const value = (part: string): string => fields.querySelector<HTMLInputElement>(`[data-part="${part}"]`)?.value ?? ''
  const unit = (name: string): string => fields.querySelector<HTMLSelectElement>(`[name="${name}"]`)?.value ?? ''
  if (!value('amount')) return null
  const found: Body = { amount: Number(value('amount')), unit: unit('unit') }
  if (value('response_amount')) {
    found.response_amount = Number(value('response_amount'))
    found.response_unit = unit('response_unit')
  }
  return found
}

function category(form: HTMLFormElement): Body {
  const found = plain(form)
  if ('retired' in found) return { code: found.code ?? '', retired: found.retired === 'yes' }
  const limits: Body = {}
  for (const fields of form.querySelectorAll<HTMLElement>('[data-limit]')) {
    const told = limit(fields)
    if (told) limits[fields.dataset.limit ?? ''] = told
  }
  const added = form.querySelector('input[name="code"][type="text"]') !== null
  return { ...found, limits, new: added }
}

const BODIES: Record<string, (form: HTMLFormElement) => Body> = { plain, hours, deadlines, category }

async function send(form: HTMLFormElement): Promise<string> {
  const body = BODIES[form.dataset.rules ?? 'plain']?.(form)
  const answer = await fetch(form.getAttribute('action') ?? '', {
    method: form.getAttribute('method')?.toUpperCase() ?? 'POST',
    credentials: 'same-origin',
    headers: {
      Accept: 'application/json',
      'Accept-Language': english ? 'en' : 'zh-CN',
      'Content-Type': 'application/json',
      'X-CSRF-Token': cookie('zoufang_csrf'),
    },
    body: JSON.stringify(body),
  })
  if (answer.ok) {
    location.reload()
    return ''
  }
  return ((await answer.json()) as { title?: string }).title ?? say('程序出错了，没有保存。', 'Something went wrong; nothing was saved.')
}

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !('rules' in form.dataset)) return
  event.preventDefault()
  const alert = form.querySelector<HTMLElement>('[role=alert]')
  if (form.ariaBusy === 'true' || !alert) return
  form.ariaBusy = 'true'
  alert.hidden = true
  send(form)
    .catch((error: unknown) =>
      error instanceof Unreadable ? error.message : say('网络不通，没有发出。', 'No connection; nothing was sent.'),
    )
    .then((words) => {
      alert.textContent = words
      alert.hidden = !words
    })
    .finally(() => {
      form.ariaBusy = null
    })
})
