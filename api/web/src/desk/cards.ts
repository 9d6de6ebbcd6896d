// Cards that are made at the desk: the answer is the file itself, which is saved at once and can be saved again until the
// page is left.

import { english, say } from './words'

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((one) => one.startsWith(`${name}=`))
  return found?.slice(name.length + 1) ?? ''
}

async function make(form: HTMLFormElement): Promise<string> {
  const said = new FormData(form)
  const asked: Record<string, string | number> = { organisation: String(said.get('organisation')), count: Number(said.get('count')) }
  for (const name of ['member', 'service_name']) if (said.get(name)) asked[name] = String(said.get(name))
  const answer = await fetch(form.getAttribute('action') ?? '', {
    method: 'POST',
    credentials: 'same-origin',
    headers: {
      Accept: 'application/json, application/pdf',
      'Accept-Language': english ? 'en' : 'zh-CN',
      'Content-Type': 'application/json',
      'X-CSRF-Token': cookie('zoufang_csrf'),
    },
    body: JSON.stringify(asked),
  })
  if (!answer.ok) return ((await answer.json()) as { title?: string }).title ?? say('程序出错了', 'Something went wrong')
  const link = form.querySelector<HTMLAnchorElement>('.told a[download]')
  const told = form.querySelector<HTMLElement>('.told')
  if (!link || !told) return ''
  link.href = URL.createObjectURL(await answer.blob())
  link.download = /filename="([\w.-]+)"/.exec(answer.headers.get('Content-Disposition') ?? '')?.[1] ?? 'cards.pdf'
  told.hidden = false
  link.click()
  return ''
}

document.querySelector<HTMLFormElement>('#make')?.addEventListener('submit', (event) => {
  event.preventDefault()
  const form = event.target as HTMLFormElement
  const alert = form.querySelector<HTMLElement>('[role=alert]')
  const status = form.querySelector<HTMLElement>('[role=status]')
  if (form.ariaBusy === 'true' || !alert || !status) return
  form.ariaBusy = 'true'
  alert.hidden = true
  status.hidden = false
  make(form)
    .catch(() => say('网络不通，没有制作。', 'No connection; nothing was made.'))
    .then((words) => {
      alert.textContent = words
      alert.hidden = !words
    })
    .finally(() => {
      form.ariaBusy = null
      status.hidden = true
    })
})
