// Bringing in a form: sent with its progress shown; what is wrong with it stands in a table, by sheet, row and column.

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

function answered(form: HTMLFormElement, request: XMLHttpRequest): void {
  busy(form, false)
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

function send(form: HTMLFormElement, file: File, kind: string): void {
  const asked = new URLSearchParams(form.dataset.unnamed === undefined ? { name: file.name.slice(0, 200) } : {})
  if (kind) asked.set('kind', kind)
  const request = new XMLHttpRequest()
  request.open('POST', `${form.getAttribute('action')}?${asked}`)
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
  request.addEventListener('load', () => answered(form, request))
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
