// Bringing in a form: sent with its progress shown; what is wrong with it stands in a table, by sheet, row and column.
// <form data-preview="/…"> first shows what would be published; its button publishes that and nothing else.

interface Fault {
  sheet: string | null
  row: number | null
  column: string | null
  text: string
}

interface Problem {
  title?: string
  facts?: { faults?: Fault[] }
}

const english = document.documentElement.lang.startsWith('en')
const OFFLINE = english ? 'No connection; nothing was sent.' : '网络不通，没有发出。'
const FAULT = english ? 'Something went wrong; nothing was published.' : '程序出错了，没有发布。'
const UNCHANGED = english ? 'This file was published before; nothing changed.' : '这个文件已经发布过，没有变化。'

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((one) => one.startsWith(`${name}=`))
  return found?.slice(name.length + 1) ?? ''
}

const HEADERS = {
  Accept: 'application/json',
  'Accept-Language': english ? 'en' : 'zh-CN',
  'X-CSRF-Token': cookie('zoufang_csrf'),
}

function say(form: HTMLFormElement, words: string): void {
  const alert = form.querySelector<HTMLElement>('[role=alert]')
  if (!alert) return
  alert.textContent = words
  alert.hidden = !words
}

function shown<Kind extends HTMLElement>(id: string): Kind | null {
  return document.querySelector<Kind>(`#${id}`)
}

function tell(form: HTMLFormElement, problem: Problem): void {
  const faults = problem.facts?.faults ?? []
  say(form, problem.title ?? FAULT)
  const table = shown<HTMLTableElement>('faults')
  const body = table?.tBodies[0]
  if (!table || !body) return
  body.replaceChildren(
    ...faults.map((fault) => {
      const row = document.createElement('tr')
      for (const cell of [fault.sheet, fault.row, fault.column, fault.text]) row.insertCell().textContent = String(cell ?? '')
      return row
    }),
  )
  table.hidden = faults.length === 0
}

function busy(form: HTMLFormElement, sending: boolean): void {
  form.ariaBusy = sending ? 'true' : null
  for (const [id, visible] of [['progress', sending], ['working', false]] as const) {
    const element = shown(id)
    if (element) element.hidden = !visible
  }
  for (const button of form.querySelectorAll('button')) button.disabled = sending
}

function show(form: HTMLFormElement, file: File, page: string): void {
  const preview = shown('preview')
  if (!preview) return
  preview.replaceChildren(...new DOMParser().parseFromString(page, 'text/html').body.childNodes)
  const publish = preview.querySelector<HTMLElement>('[data-publish]')
  publish?.addEventListener('click', () => send(form, file, '', publish.dataset.publish))
  preview.querySelector('[data-give-up]')?.addEventListener('click', () => {
    preview.replaceChildren()
    form.querySelector<HTMLElement>('[name=file]')?.focus()
  })
  preview.querySelector<HTMLElement>('[tabindex]')?.focus()
}

function answered(form: HTMLFormElement, request: XMLHttpRequest, file: File, looking: boolean): void {
  busy(form, false)
  if (looking && request.status === 200) return show(form, file, request.responseText)
  shown('preview')?.replaceChildren()
  form.scrollIntoView({ block: 'nearest' })
  if (request.status === 201) return location.reload()
  if (request.status === 200) return say(form, UNCHANGED)
  let problem: Problem = {}
  try {
    problem = JSON.parse(request.responseText) as Problem
  } catch {
    // a proxy's own words are no problem of ours
  }
  tell(form, problem)
}

/** Sends a file: to be looked at where that comes first, or to be published, as what it was when it was shown. */
function send(form: HTMLFormElement, file: File, kind: string, digest = ''): void {
  if (form.ariaBusy === 'true') return
  const looking = form.dataset.preview !== undefined && !digest
  const asked = new URLSearchParams(form.dataset.unnamed === undefined ? { name: file.name.slice(0, 200) } : {})
  if (kind) asked.set('kind', kind)
  if (digest) asked.set('digest', digest)
  const request = new XMLHttpRequest()
  request.open('POST', `${looking ? form.dataset.preview : form.getAttribute('action')}?${asked}`)
  for (const [name, value] of Object.entries(HEADERS)) request.setRequestHeader(name, value)
  request.setRequestHeader('Content-Type', 'application/octet-stream')
  const progress = shown<HTMLProgressElement>('progress')
  request.upload.addEventListener('progress', ({ loaded, total }) => {
    if (progress) progress.value = total ? loaded / total : 0
  })
  request.upload.addEventListener('load', () => {
    const working = shown('working')
    if (working) working.hidden = false
  })
  request.addEventListener('load', () => answered(form, request, file, looking))
  request.addEventListener('error', () => {
    busy(form, false)
    say(form, OFFLINE)
  })
  busy(form, true)
  request.send(file)
}

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || form.id !== 'import') return
  event.preventDefault()
  if (form.ariaBusy === 'true') return
  const file = form.querySelector<HTMLInputElement>('[name=file]')?.files?.[0]
  if (!file) return
  tell(form, { title: '' })
  send(form, file, form.querySelector<HTMLSelectElement>('[name=kind]')?.value ?? '')
})

// Another file is another matter.
document.addEventListener('change', (event) => {
  if (event.target instanceof HTMLInputElement && event.target.type === 'file') shown('preview')?.replaceChildren()
})

// To withdraw says null, which no field of a form does.
document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || form.dataset.withdraw === undefined) return
  event.preventDefault()
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) return
  fetch(`/api/questionnaires/${encodeURIComponent(form.dataset.withdraw)}/changes`, {
    method: 'POST',
    credentials: 'same-origin',
    headers: { ...HEADERS, 'Content-Type': 'application/json' },
    body: JSON.stringify({ current: null }),
  })
    .then((answer) => (answer.ok ? location.reload() : say(form, FAULT)))
    .catch(() => say(form, OFFLINE))
})

export {}
