// Forms of ballots that send more than fields side by side: the questions of a ballot, a roll by numbers, and slips, whose
// answer is a file that is saved at once.

const english = document.documentElement.lang.startsWith('en')
const OFFLINE = english ? 'No connection; nothing was sent.' : '网络不通，没有发出。'
const FAULT = english ? 'Something went wrong; nothing was saved.' : '程序出错了，内容没有保存。'

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((one) => one.startsWith(`${name}=`))
  return found?.slice(name.length + 1) ?? ''
}

function text(form: HTMLFormElement, name: string): string {
  const field = form.elements.namedItem(name)
  if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement) return field.value.trim()
  return ''
}

function lines(form: HTMLFormElement, name: string): string[] {
  return text(form, name)
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
}

function chosen(form: HTMLFormElement, name: string): string[] {
  const field = form.elements.namedItem(name)
  return field instanceof HTMLSelectElement ? Array.from(field.selectedOptions, (one) => one.value) : []
}

function option(line: string): { name: string; points?: number } {
  const found = /^(.*\S)\s+(\d+(?:\.\d+)?)$/.exec(line)
  return found ? { name: found[1] ?? '', points: Number(found[2]) } : { name: line }
}

function groups(form: HTMLFormElement): object[] {
  return Array.from(form.querySelectorAll<HTMLElement>('[data-group]')).flatMap((row) => {
    const code = row.dataset.group
    const [name, weight] = Array.from(row.querySelectorAll('input'))
    const way = row.querySelector('select')?.value
    return weight?.value ? [{ code, name: name?.value ?? '', weight: weight.valueAsNumber, way }] : []
  })
}

function ballot(form: HTMLFormElement): object {
  return {
    id: form.dataset.id,
    organisation: text(form, 'organisation'),
    title: text(form, 'title'),
    opens_at: new Date(text(form, 'opens_at')).toISOString(),
    closes_at: new Date(text(form, 'closes_at')).toISOString(),
    candidates: [
      ...lines(form, 'members').map((member) => ({ member })),
      ...chosen(form, 'organisations').map((organisation) => ({ organisation })),
      ...lines(form, 'matters').map((matter) => ({ matter })),
    ],
    options: lines(form, 'options').map(option),
    groups: groups(form),
  }
}

function roll(form: HTMLFormElement): object {
  const organisation = text(form, 'organisation')
  return { id: form.dataset.id, group: text(form, 'group'), members: lines(form, 'members'), ...(organisation ? { organisation } : {}) }
}

function asked(form: HTMLFormElement): object {
  if (form.dataset.own === 'ballot') return ballot(form)
  if (form.dataset.own === 'roll') return roll(form)
  return { group: text(form, 'group'), count: Number(text(form, 'count')) }
}

async function save(answer: Response): Promise<void> {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await answer.blob())
  link.download = 'slips.pdf'
  link.click()
}

async function send(form: HTMLFormElement): Promise<string> {
  const answer = await fetch(form.getAttribute('action') ?? '', {
    method: 'POST',
    credentials: 'same-origin',
    headers: {
      Accept: 'application/json, application/pdf',
      'Accept-Language': english ? 'en' : 'zh-CN',
      'Content-Type': 'application/json',
      'X-CSRF-Token': cookie('zoufang_csrf'),
    },
    body: JSON.stringify(asked(form)),
  })
  if (!answer.ok) {
    const said = (await answer.json().catch(() => ({}))) as { title?: string; field?: string }
    return said.title ? `${said.title}${said.field ? ` (${said.field})` : ''}` : FAULT
  }
  if (form.dataset.own === 'slips') await save(answer)
  else if (form.dataset.done) location.assign(form.dataset.done)
  else location.reload()
  return ''
}

document.documentElement.dataset.forms = ''

for (const form of document.querySelectorAll<HTMLFormElement>('form[data-own]'))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const alert = form.querySelector<HTMLElement>('[role=alert]')
    const status = form.querySelector<HTMLElement>('[role=status]')
    if (form.ariaBusy === 'true' || !alert) return
    form.ariaBusy = 'true'
    alert.hidden = true
    if (status) status.hidden = false
    send(form)
      .catch(() => OFFLINE)
      .then((words) => {
        alert.textContent = words
        alert.hidden = !words
      })
      .finally(() => {
        form.ariaBusy = null
        if (status) status.hidden = true
      })
  })

// Slips are handed out one after the other: each is marked in its place, and the roll stays open.
for (const form of document.querySelectorAll<HTMLFormElement>('form[data-handing]')) {
  let button: HTMLElement | null = null
  form.addEventListener('submit', (event) => {
    if (form.ariaBusy !== 'true') button = event.submitter
  })
  form.addEventListener('done', () => {
    const line = button?.closest<HTMLElement>('[data-voter]')
    if (!line) return
    const tick = line.querySelector('[data-tick]')
    if (tick) tick.textContent = '✓'
    line.querySelector('[data-not-yet]')?.remove()
    const following = Array.from(form.querySelectorAll('button'))
    const next = following[following.findIndex((one) => one === button) + 1]
    button?.remove()
    next?.focus()
    count(line.dataset.voter ?? '')
  })
}

/** One more of a group was handed a slip. */
function count(group: string): void {
  const cell = document.querySelector<HTMLElement>(`[data-marked="${CSS.escape(group)}"]`)
  if (!cell) return
  const marked = Number(cell.dataset.count) + 1
  cell.dataset.count = String(marked)
  cell.textContent = marked.toLocaleString(english ? 'en' : 'zh-CN')
}

export {}
