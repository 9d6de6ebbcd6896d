// Forms that send JSON. <form data-json method="post" action="/api/…" data-done="/next"> sends its named fields as one
// object. Answered, it goes on to data-done; empty, the page is loaded anew; without data-done the form dispatches
// `done` with the answer. A refusal is said in the form's [role=alert], in the words of the server.
//
// A blank field is left out, unless it has data-blank: blank is what it is then to be. A number is sent as one, a lone checkbox as true or false, boxes of one name with values
// and <select multiple> as a list, a local date and time with the browser's zone. What has data-type="number" or "boolean" is sent as one. A button's own name and value are sent
// too. A name with dots is a field of an object in an object: ways.offered. data-confirm asks first. A button that has
// a formaction of its own sends the form there, as a form without data-json does.

type Value = string | number | boolean | string[] | Values
interface Values {
  [name: string]: Value
}

interface Problem {
  title?: string
  detail?: string
  field?: string
}

const english = document.documentElement.lang.startsWith('en')
const OFFLINE = english ? 'No connection; nothing was sent.' : '网络不通，没有发出。'
const FAULT = english ? 'Something went wrong; nothing was saved.' : '程序出错了，内容没有保存。'

function cookie(name: string): string | undefined {
  return document.cookie
    .split('; ')
    .find((one) => one.startsWith(`${name}=`))
    ?.slice(name.length + 1)
}

function values(form: HTMLFormElement, submitter: HTMLElement | null): Record<string, Value> {
  const found: Record<string, Value> = {}
  for (const field of form.elements) {
    if (field instanceof HTMLInputElement) readInput(field, found)
    else if (field instanceof HTMLSelectElement) readSelect(field, found)
    else if (field instanceof HTMLTextAreaElement) put(field, field.value, found)
  }
  if (submitter instanceof HTMLButtonElement && submitter.name) found[submitter.name] = submitter.value
  return nested(found)
}

function nested(flat: Values): Values {
  const found: Values = {}
  for (const [name, value] of Object.entries(flat)) {
    const path = name.split('.')
    const last = path.pop() ?? name
    let inner = found
    for (const part of path) inner = (inner[part] ??= {}) as Values
    inner[last] = value
  }
  return found
}

function readInput(field: HTMLInputElement, found: Record<string, Value>): void {
  if (!field.name || field.disabled) return
  if (field.type === 'checkbox') {
    if (!field.hasAttribute('value')) found[field.name] = field.checked
    else {
      const ticked = (found[field.name] ??= []) as string[]
      if (field.checked) ticked.push(field.value)
    }
  } else if (field.type === 'radio') {
    if (field.checked) put(field, field.value, found)
  } else if (field.type === 'number') {
    if (field.value) found[field.name] = field.valueAsNumber
  } else if (field.type === 'time') {
    if (field.value) found[field.name] = field.value.length === 5 ? `${field.value}:00` : field.value
  } else if (field.type === 'datetime-local') {
    if (field.value) found[field.name] = new Date(field.value).toISOString()
  } else if (!['submit', 'button', 'reset', 'image', 'file'].includes(field.type)) put(field, field.value, found)
}

function readSelect(field: HTMLSelectElement, found: Record<string, Value>): void {
  if (field.multiple && field.name) found[field.name] = Array.from(field.selectedOptions, (option) => option.value)
  else put(field, field.value, found)
}

function put(field: HTMLElement & { name: string; disabled: boolean }, value: string, found: Record<string, Value>): void {
  if (field.name && !field.disabled && (value || 'blank' in field.dataset)) found[field.name] = typed(field, value)
}

function typed(field: HTMLElement, value: string): Value {
  if (field.dataset.type === 'number') return Number(value)
  return field.dataset.type === 'boolean' ? value === 'true' : value
}

function say(form: HTMLFormElement, words: string): void {
  const alert = form.querySelector<HTMLElement>('[role=alert]')
  if (!alert) return
  alert.textContent = words
  alert.hidden = !words
}

function mark(form: HTMLFormElement, name: string | undefined): void {
  for (const field of form.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid')
  const field = name && form.elements.namedItem(name)
  if (!(field instanceof HTMLElement)) return
  field.setAttribute('aria-invalid', 'true')
  field.focus()
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    return (await answer.json()) as Problem
  } catch {
    return {}
  }
}

async function send(form: HTMLFormElement, submitter: HTMLElement | null): Promise<void> {
  const answer = await fetch(form.getAttribute('action') ?? '', {
    method: 'POST',
    credentials: 'same-origin',
    headers: {
      Accept: 'application/json',
      'Accept-Language': english ? 'en' : 'zh-CN',
      'Content-Type': 'application/json',
      'X-CSRF-Token': document.body.dataset.csrf ?? cookie('zoufang_csrf') ?? '', // a page of who has no session says it
    },
    body: JSON.stringify(values(form, submitter)),
  })
  if (!answer.ok) {
    const problem = await problemOf(answer)
    say(form, problem.detail ?? problem.title ?? FAULT)
    mark(form, problem.field)
    return
  }
  const text = await answer.text()
  if (form.dataset.done === undefined) {
    form.dispatchEvent(new CustomEvent('done', { detail: text ? JSON.parse(text) : null, bubbles: true }))
  } else if (form.dataset.done) location.assign(form.dataset.done)
  else location.reload()
}

document.documentElement.dataset.forms = '' // early.js sends nothing without us

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !('json' in form.dataset)) return
  if (event.submitter?.hasAttribute('formaction')) return
  event.preventDefault()
  if (form.ariaBusy === 'true') return
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) return
  form.ariaBusy = 'true'
  say(form, '')
  mark(form, undefined)
  send(form, event.submitter)
    .catch(() => say(form, OFFLINE))
    .finally(() => {
      form.ariaBusy = null
    })
})

// <button data-reveals="id"> shows what is typed into a password's field, and hides it again.
document.addEventListener('click', (event) => {
  const button = event.target
  if (!(button instanceof HTMLButtonElement) || !button.dataset.reveals) return
  const field = document.getElementById(button.dataset.reveals)
  if (!(field instanceof HTMLInputElement)) return
  const shown = field.type === 'password'
  field.type = shown ? 'text' : 'password'
  button.ariaPressed = String(shown)
})

export {}
