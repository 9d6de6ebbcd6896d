// A volunteer's personal link: what stands behind # goes to the server in a body, and out of the address.

const english = document.documentElement.lang.startsWith('en')
const OFFLINE = english ? 'No connection; please try again.' : '网络不通，请再试一次。'
const FAULT = english ? 'Something went wrong; please try again.' : '出错了，请再试一次。'

let token = ''

function show(selector: string, shown: boolean): void {
  const element = document.querySelector<HTMLElement>(selector)
  if (element) element.hidden = !shown
}

function fail(words: string): void {
  show('[data-opening]', false)
  show('[data-failed]', true)
  show('[data-how]', true)
  const told = document.querySelector('[data-failed-words]')
  if (told) told.textContent = words
}

async function exchange(): Promise<void> {
  show('[data-failed]', false)
  show('[data-how]', false)
  show('[data-opening]', true)
  const answer = await fetch('/volunteering/me/session', {
    method: 'POST',
    credentials: 'same-origin',
    headers: { Accept: 'application/json', 'Accept-Language': english ? 'en' : 'zh-CN', 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
  })
  if (answer.ok) {
    location.replace(`/volunteering/me${english ? '?lang=en' : ''}`)
    return
  }
  const problem = (await answer.json().catch(() => ({}))) as { title?: string; detail?: string }
  fail(problem.detail ?? problem.title ?? FAULT)
}

function opened(): void {
  const found = location.hash.slice(1)
  if (!/^[0-9]+\./.test(found)) return
  token = found
  history.replaceState(null, '', location.pathname + location.search)
  exchange().catch(() => fail(OFFLINE))
}

addEventListener('hashchange', opened)
document.querySelector('[data-again]')?.addEventListener('click', () => {
  exchange().catch(() => fail(OFFLINE))
})
opened()

export {}
