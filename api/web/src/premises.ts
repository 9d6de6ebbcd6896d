// A list of doors that is taken over at the register's page: the file is the body; what became of it is shown below the
// form, and all of it is there as a file.

interface Line {
  row?: number | null
  finding: string
  name?: string | null
  address?: string | null
  other_row?: number | null
  other_name?: string | null
  other_address?: string | null
  distance_m?: number | null
}

interface Taken {
  dry_run: boolean
  counts: Record<string, number>
  lines: Line[]
  more: number
  report: string
}

const english = document.documentElement.lang.startsWith('en')
const FIGURES: [string, string, string][] = [
  ['rows', '读取行数', 'rows read'],
  ['new', '新增', 'new'],
  ['known', '已在台账', 'known already'],
  ['doubles', '表内重复', 'doubles within'],
  ['near_doubles', '疑似重复（对）', 'pairs to look at'],
  ['rejected', '未接受', 'refused'],
]

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((one) => one.startsWith(`${name}=`))
  return found?.slice(name.length + 1) ?? ''
}

function words(line: Line): string {
  const row = line.row == null ? '' : english ? `Row ${line.row}: ` : `第 ${line.row} 行：`
  const door = [line.name, line.address].filter(Boolean).join(' · ')
  const other = [
    line.other_row == null ? '' : english ? `row ${line.other_row}` : `第 ${line.other_row} 行`,
    line.other_name,
    line.other_address,
    line.distance_m == null ? '' : english ? `${line.distance_m} m away` : `相距 ${line.distance_m} 米`,
  ].filter(Boolean)
  return `${row}${line.finding}${door ? ` — ${door}` : ''}${other.length ? ` ↔ ${other.join(' · ')}` : ''}`
}

function added(list: Element, kind: string, text: string): void {
  const one = document.createElement(kind)
  one.textContent = text
  list.append(one)
}

function show(shown: HTMLElement, taken: Taken): void {
  const [title, figures, lines] = ['h3', 'dl', 'ul'].map((name) => shown.querySelector(name)) as HTMLElement[]
  const file = shown.querySelector<HTMLAnchorElement>('a[download]')
  if (!title || !figures || !lines || !file) return
  const tried = english ? 'Checked; nothing was written' : '已核对，尚未写入'
  title.textContent = taken.dry_run ? tried : english ? 'Taken over' : '导入完成'
  figures.replaceChildren()
  for (const [name, zh, en] of FIGURES) {
    const figure = document.createElement('div')
    added(figure, 'dt', english ? en : zh)
    added(figure, 'dd', (taken.counts[name] ?? 0).toLocaleString())
    figures.append(figure)
  }
  lines.replaceChildren()
  for (const line of taken.lines) added(lines, 'li', words(line))
  if (taken.more) added(lines, 'li', english ? `${taken.more} more in the file` : `另有 ${taken.more} 条，见报告文件`)
  if (file.href) URL.revokeObjectURL(file.href)
  file.hidden = !taken.report
  file.href = URL.createObjectURL(new Blob(['\ufeff', taken.report], { type: 'text/csv' }))
  shown.hidden = false
  shown.scrollIntoView({ block: 'nearest' })
}

async function send(form: HTMLFormElement, dryRun: string): Promise<void> {
  const alert = form.querySelector<HTMLElement>('[role=alert]')
  const shown = document.querySelector<HTMLElement>('#taken')
  const said = new FormData(form)
  const file = said.get('file')
  if (!alert || !shown || !(file instanceof File)) return
  const query = new URLSearchParams({ system: String(said.get('system')), dry_run: dryRun })
  if (said.get('kind')) query.set('kind', String(said.get('kind')))
  alert.hidden = true
  shown.hidden = true
  const answer = await fetch(`${form.getAttribute('action')}?${query}`, {
    method: 'POST',
    credentials: 'same-origin',
    headers: {
      Accept: 'application/json',
      'Accept-Language': english ? 'en' : 'zh-CN',
      'Content-Type': 'application/octet-stream',
      'X-CSRF-Token': cookie('zoufang_csrf'),
    },
    body: file,
  })
  const told = (await answer.json()) as Taken & { title?: string }
  if (answer.ok) show(shown, told)
  else {
    alert.textContent = told.title ?? ''
    alert.hidden = false
  }
}

document.querySelector<HTMLFormElement>('#incoming')?.addEventListener('submit', (event) => {
  event.preventDefault()
  const form = event.target as HTMLFormElement
  const status = form.querySelector<HTMLElement>('[role=status]')
  const button = event.submitter
  if (form.ariaBusy === 'true' || !status) return
  form.ariaBusy = 'true'
  status.hidden = false
  send(form, button instanceof HTMLButtonElement ? button.value : 'true')
    .catch(() => {
      const alert = form.querySelector<HTMLElement>('[role=alert]')
      if (!alert) return
      alert.textContent = english ? 'No connection; nothing was sent.' : '网络不通，没有发出。'
      alert.hidden = false
    })
    .finally(() => {
      form.ariaBusy = null
      status.hidden = true
    })
})

export {}
