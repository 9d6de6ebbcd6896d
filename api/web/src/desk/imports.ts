// A list that comes in: looked at first, with its columns to be named otherwise, and then taken over. The file is the body
// of the request; what stands in it is shown as text alone.

import { h } from '../map/dom'
import { english, say } from './words'

interface Looked {
  digest: string
  dry_run: boolean
  stored: boolean
  columns: string[]
  fields: Record<string, string | null>
  needed: string[]
  sample: string[][]
  rows: { row: number; about: string; does: string }[]
  counts: Record<string, number>
  faults: { row: number; reason: string }[]
  more: number
  report: string
}

const { counts: NAMES, fields: FIELDS } = JSON.parse(document.getElementById('data')?.textContent ?? '{}') as {
  counts: Record<string, string>
  fields: Record<string, string>
}
const MOST_TOLD = 300 // rows of which the server says what they do
const form = document.querySelector<HTMLFormElement>('#list')
const byId = (id: string): HTMLElement | null => document.getElementById(id)

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((one) => one.startsWith(`${name}=`))
  return found?.slice(name.length + 1) ?? ''
}

function columns(looked: Looked): void {
  const place = byId('columns')
  const legend = place?.querySelector('legend')
  if (!place || !legend) return
  const rows = Object.entries(looked.fields).map(([field, heading]) => {
    const options = looked.columns.map((column) => h('option', { value: column, selected: column === heading }, column))
    const none = h('option', { value: '', selected: heading === null }, say('（没有）', '(none)'))
    const select = h('select', { id: `map-${field}`, 'data-field': field, change: () => take(false) }, none, ...options)
    return h('div', { class: 'field' }, h('label', { for: `map-${field}` }, `${FIELDS[field] ?? field}${looked.needed.includes(field) ? ' *' : ''}`), select)
  })
  place.replaceChildren(legend, ...rows)
  place.hidden = false
}

let lookedAt = '' // the digest of the file that was looked at

/** What was changed must be looked at again before it is taken over. */
function take(may: boolean): void {
  const button = byId('take')
  if (button) button.hidden = !may
}

function rows(looked: Looked): void {
  const place = byId('does')
  if (place) place.hidden = looked.rows.length === 0
  byId('rows')?.replaceChildren(
    ...looked.rows.map((one) => h('tr', {}, h('th', { scope: 'row' }, one.row), h('td', {}, one.about), h('td', {}, one.does))),
  )
  const further = byId('further')
  if (!further) return
  further.hidden = looked.rows.length < MOST_TOLD
  further.textContent = say(`以上是前 ${looked.rows.length} 行。`, `These are the first ${looked.rows.length} rows.`)
}

function show(looked: Looked): void {
  lookedAt = looked.digest
  const place = byId('looked')
  const title = place?.querySelector('h2')
  if (!place || !title) return
  const refused = looked.faults.length + looked.more
  title.textContent = looked.stored
    ? say('已导入', 'Taken over')
    : looked.dry_run
      ? say('已核对，尚未写入', 'Looked at; nothing was written')
      : say('没有写入：请先更正', 'Nothing was written: mend it first')
  byId('counts')?.replaceChildren(
    ...Object.entries(looked.counts).flatMap(([name, count]) => [
      h('dt', {}, NAMES[name] ?? name),
      h('dd', {}, count.toLocaleString(english ? 'en' : 'zh-CN')),
    ]),
  )
  place.querySelector('thead')?.replaceChildren(h('tr', {}, ...Object.keys(looked.fields).map((field) => h('th', { scope: 'col' }, FIELDS[field] ?? field))))
  place.querySelector('tbody')?.replaceChildren(...looked.sample.map((row) => h('tr', {}, ...row.map((cell) => h('td', {}, cell)))))
  rows(looked)
  const list = byId('refused')
  if (list) list.hidden = refused === 0
  byId('faults')?.replaceChildren(
    ...looked.faults.map((fault) =>
      h('li', {}, fault.row ? say(`第 ${fault.row} 行：`, `Row ${fault.row}: `) : '', fault.reason),
    ),
    ...(looked.more ? [h('li', {}, say(`另有 ${looked.more} 行，见文件`, `${looked.more} more, in the file`))] : []),
  )
  const file = list?.querySelector<HTMLAnchorElement>('a[download]')
  if (file) {
    if (file.href) URL.revokeObjectURL(file.href)
    file.href = URL.createObjectURL(new Blob(['\ufeff', looked.report], { type: 'text/csv' }))
  }
  place.hidden = false
  columns(looked)
  take(looked.dry_run && Object.keys(looked.counts).length > 0)
  place.scrollIntoView({ block: 'nearest' })
}

async function send(form: HTMLFormElement, dryRun: string): Promise<string> {
  const file = form.querySelector<HTMLInputElement>('#file')?.files?.[0]
  if (!file) return say('请选择文件', 'Choose a file')
  const query = new URLSearchParams({ dry_run: dryRun, lang: english ? 'en' : 'zh' })
  for (const select of form.querySelectorAll<HTMLSelectElement>('[data-field]'))
    query.append('map', `${select.dataset.field}=${select.value}`)
  if (dryRun === 'false') query.set('digest', lookedAt) // what is taken over is what was looked at
  const answer = await fetch(`${form.getAttribute('action')}?${query}`, {
    method: 'POST',
    credentials: 'same-origin',
    headers: { Accept: 'application/json', 'Content-Type': 'application/octet-stream', 'X-CSRF-Token': cookie('zoufang_csrf') },
    body: file,
  })
  const told = (await answer.json()) as Looked & { title?: string }
  if (!answer.ok) return told.title ?? say('程序出错了，没有写入。', 'Something went wrong; nothing was written.')
  show(told)
  return ''
}

form?.querySelector('#file')?.addEventListener('change', () => {
  const place = byId('columns')
  const legend = place?.querySelector('legend')
  if (place && legend) place.replaceChildren(legend)
  if (place) place.hidden = true
  const looked = byId('looked')
  if (looked) looked.hidden = true
  take(false)
})

form?.addEventListener('submit', (event) => {
  event.preventDefault()
  const alert = form.querySelector<HTMLElement>('[role=alert]')
  const status = form.querySelector<HTMLElement>('[role=status]')
  const button = event.submitter
  if (form.ariaBusy === 'true' || !alert || !status) return
  form.ariaBusy = 'true'
  alert.hidden = true
  status.hidden = false
  send(form, button instanceof HTMLButtonElement ? button.value : 'true')
    .catch(() => say('网络不通，没有写入。', 'No connection; nothing was written.'))
    .then((words) => {
      alert.textContent = words
      alert.hidden = !words
    })
    .finally(() => {
      form.ariaBusy = null
      status.hidden = true
    })
})
