// Briefs: a Word template is sent as it is, and the numbers of good cases as a list. A refusal is said in the form's
// [role=alert], in the words of the server.

const english = document.documentElement.lang.startsWith('en')
const OFFLINE = english ? 'No connection; nothing was sent.' : '网络不通，没有发出。'
const FAULT = english ? 'Something went wrong; nothing was saved.' : '程序出错了，内容没有保存。'

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((one) => one.startsWith(`${name}=`))
  return found?.slice(name.length + 1) ?? ''
}

function show(form: HTMLFormElement, role: string, words?: string): void {
  const place = form.querySelector<HTMLElement>(`[role=${role}]`)
  if (!place) return
  if (words) place.textContent = words
  place.hidden = words === ''
}

async function problem(answer: Response): Promise<string> {
  try {
    const said = (await answer.json()) as { title?: string; detail?: string }
    return said.detail ?? said.title ?? FAULT
  } catch {
    return FAULT
  }
}

async function post(form: HTMLFormElement, type: string, body: BodyInit): Promise<Response> {
  return fetch(form.getAttribute('action') ?? '', {
    method: 'POST',
    credentials: 'same-origin',
    headers: {
      Accept: 'application/json',
      'Accept-Language': english ? 'en' : 'zh-CN',
      'Content-Type': type,
      'X-CSRF-Token': cookie('zoufang_csrf'),
    },
    body,
  })
}

async function send(form: HTMLFormElement): Promise<void> {
  const list = form.dataset.list
  const file = form.querySelector<HTMLInputElement>('input[type=file]')?.files?.[0]
  const values = Array.from(form.querySelectorAll<HTMLInputElement>('input[name]'), (field) => field.value.trim()).filter(Boolean)
  if (!list && !file) return
  const answer = list
    ? await post(form, 'application/json', JSON.stringify({ [list]: values }))
    : await post(form, 'application/octet-stream', file as File)
  if (!answer.ok) return show(form, 'alert', await problem(answer))
  if (!form.dataset.page) return location.reload()
  const { id } = (await answer.json()) as { id: string }
  location.assign(form.dataset.page.replace('{id}', id))
}

document.documentElement.dataset.reports = ''

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !('file' in form.dataset || 'list' in form.dataset)) return
  event.preventDefault()
  if (form.ariaBusy === 'true') return
  form.ariaBusy = 'true'
  show(form, 'alert', '')
  show(form, 'status')
  send(form)
    .catch(() => show(form, 'alert', OFFLINE))
    .finally(() => {
      form.ariaBusy = null
      show(form, 'status', '')
    })
})

export {}
