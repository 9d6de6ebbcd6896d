// What every page in the shell does: htmx sends the token that tells our own pages from others', a refusal is said where
// it was asked for, and the entry under which the page stands is in sight on a narrow screen.

interface Asking {
  detail: { headers: Record<string, string>; verb: string }
}
interface Answered {
  detail: { xhr: XMLHttpRequest; elt: HTMLElement }
}
interface Swapping {
  detail: { target: HTMLElement; shouldSwap: boolean; requestConfig: { verb: string; triggeringEvent?: Event } }
}

const english = document.documentElement.lang.startsWith('en')
const OFFLINE = english ? 'No connection; nothing was sent.' : '网络不通，没有发出。'
const FAULT = english ? 'Something went wrong; nothing was saved.' : '程序出错了，内容没有保存。'

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((one) => one.startsWith(`${name}=`))
  return found ? found.slice(name.length + 1) : ''
}

function refusal(answer: XMLHttpRequest): string {
  try {
    const problem = JSON.parse(answer.responseText) as { title?: string; detail?: string }
    return problem.detail ?? problem.title ?? FAULT
  } catch {
    return FAULT
  }
}

/** Say it in the [role=alert] nearest to what was pressed. */
function say(pressed: HTMLElement, words: string): void {
  const around = pressed.closest('form, section, tr, li, main') ?? document.body
  const alert = around.querySelector<HTMLElement>('[role=alert]') ?? document.querySelector<HTMLElement>('main [role=alert]')
  if (!alert) return
  alert.textContent = words
  alert.hidden = !words
}

document.addEventListener('htmx:configRequest', (event) => {
  const { detail } = event as unknown as Asking
  detail.headers['Accept-Language'] = english ? 'en' : 'zh-CN'
  if (detail.verb !== 'get') detail.headers['X-CSRF-Token'] = cookie('zoufang_csrf')
})
document.addEventListener('htmx:beforeRequest', (event) => say((event as unknown as Answered).detail.elt, ''))
document.addEventListener('htmx:responseError', (event) => {
  const { xhr, elt } = (event as unknown as Answered).detail
  say(elt, refusal(xhr))
})
// A list that is read again by itself does not take away what is being pressed; the next reading brings what is new.
document.addEventListener('htmx:beforeSwap', (event) => {
  const { detail } = event as unknown as Swapping
  if (detail.requestConfig.verb === 'get' && !detail.requestConfig.triggeringEvent && detail.target.querySelector(':active')) detail.shouldSwap = false
})
document.addEventListener('htmx:sendError', (event) => say((event as unknown as Answered).detail.elt, OFFLINE))

document.querySelector('.shell-ways [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' })

export {}
