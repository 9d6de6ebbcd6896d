// Reports with photos: <form data-report data-scripted action="/api/…" data-photos="/api/…/photos" data-most="9">, in it
// <input type="file" data-files> and [data-photos-told]. Photos are made smaller as they are chosen, named in the report
// by their hashes, and sent once it is there. What cannot be sent is said and nothing is lost: a report that was refused
// stays as it was written, and of one that is there the button sends the photos that are missing, and only those.

const english = document.documentElement.lang.startsWith('en')
const words = english
  ? {
      offline: 'No connection; nothing was sent.',
      fault: 'Something went wrong; nothing was saved.',
      smaller: (done: number, all: number) => `Making the photos smaller: ${done} of ${all}`,
      ready: (count: number) => `Photos ready: ${count}`,
      sending: (count: number) => `The report is there; sending photos, still to go: ${count}`,
      lost: (count: number, why: string) =>
        `The report is there, but ${count === 1 ? 'one photo is' : `${count} photos are`} missing${why}. Send again; what has come is not sent twice.`,
      line: ' (no connection)',
      because: (why: string) => ` (${why})`,
      missing: (count: number) => `Still to go: ${count}`,
      again: 'Send the missing photos again',
      others: 'None of these is one of the photos that the report names. Choose the same ones, on the same phone.',
      unread: (names: string) => `Left out, for it is no photo that this browser can read: ${names}`,
      insecure: 'Photos can only be sent from a page that is opened over HTTPS.',
      most: (count: number) => `No more than ${count} photos; the rest was left out.`,
      between: ', ',
    }
  : {
      offline: '网络不通，没有发出。',
      fault: '程序出错了，内容没有保存。',
      smaller: (done: number, all: number) => `正在处理照片：${done}/${all}`,
      ready: (count: number) => `照片已备好：${count} 张`,
      sending: (count: number) => `结果已登记，正在上传照片，还剩 ${count} 张`,
      lost: (count: number, why: string) =>
        `结果已登记，还有 ${count} 张照片没有传上去${why}，请再点一次；已传的不会重复上传。`,
      line: '（网络不通）',
      because: (why: string) => `（${why.replace(/。$/, '')}）`,
      missing: (count: number) => `还剩 ${count} 张没有上传`,
      again: '重新上传剩下的照片',
      others: '选中的都不是报告里的照片，请在同一部手机上选原来的照片。',
      unread: (names: string) => `没有选入，浏览器读不出这张照片：${names}`,
      insecure: '页面要以 HTTPS 打开才能上传照片。',
      most: (count: number) => `最多 ${count} 张，多出的没有选入。`,
      between: '、',
    }

const SIDE = 1600 // pixels of the longer side; the server keeps no more

interface Photo {
  sha256: string
  bytes: number
  content: Blob
}

interface Problem {
  title?: string
  detail?: string
  field?: string
}

class Refused extends Error {}

export function field<T extends HTMLElement>(within: ParentNode, selector: string): T {
  const found = within.querySelector<T>(selector)
  if (!found) throw new Error(selector)
  return found
}

function headers(): Record<string, string> {
  const csrf = document.cookie.split('; ').find((one) => one.startsWith('zoufang_csrf='))
  return {
    Accept: 'application/json',
    'Accept-Language': english ? 'en' : 'zh-CN',
    'X-CSRF-Token': csrf?.slice('zoufang_csrf='.length) ?? '',
  }
}

function say(form: HTMLFormElement, told: string): void {
  const alert = field<HTMLElement>(form, '[role=alert]')
  alert.textContent = told
  alert.hidden = !told
}

async function problemOf(answer: Response): Promise<Problem> {
  return (await answer.json().catch(() => ({}))) as Problem
}

// --- photos

async function smaller(file: File): Promise<Blob> {
  const picture = await createImageBitmap(file)
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(picture.width * scale))
  canvas.height = Math.max(1, Math.round(picture.height * scale))
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height)
  picture.close()
  return new Promise((resolve) => {
    canvas.toBlob((blob) => {
      resolve(blob ?? file)
    }, 'image/jpeg', 0.85)
  })
}

async function hashed(content: Blob): Promise<Photo> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await content.arrayBuffer()))
  const sha256 = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return { sha256, bytes: content.size, content }
}

async function chosen(form: HTMLFormElement, files: File[]): Promise<Photo[]> {
  const told = field<HTMLElement>(form, '[data-photos-told]')
  const most = Number(form.dataset.most)
  const photos: Photo[] = []
  const unread: string[] = []
  if (!window.isSecureContext) {
    told.textContent = files.length ? words.insecure : ''
    return photos
  }
  for (const [done, file] of files.slice(0, most).entries()) {
    told.textContent = words.smaller(done + 1, Math.min(files.length, most))
    try {
      const photo = await hashed(await smaller(file))
      if (!photos.some((one) => one.sha256 === photo.sha256)) photos.push(photo)
    } catch {
      unread.push(file.name)
    }
  }
  const parts = files.length ? [words.ready(photos.length)] : []
  if (files.length > most) parts.push(words.most(most))
  if (unread.length) parts.push(words.unread(unread.join(words.between)))
  told.textContent = parts.join(english ? '. ' : '；')
  return photos
}

async function sendPhoto(form: HTMLFormElement, photo: Photo): Promise<void> {
  const answer = await fetch(`${form.dataset.photos}/${photo.sha256}`, {
    method: 'PUT',
    headers: { ...headers(), 'Content-Type': 'application/octet-stream' },
    body: photo.content,
  })
  if (answer.ok) return
  const problem = await problemOf(answer)
  throw new Refused(problem.detail ?? problem.title ?? String(answer.status))
}

// Sends all that can be sent, and returns what could not, and why, in words.
async function sent(form: HTMLFormElement, photos: Photo[]): Promise<[Photo[], string]> {
  const told = field<HTMLElement>(form, '[data-photos-told]')
  const left: Photo[] = []
  let why = ''
  for (const [at, photo] of photos.entries()) {
    told.textContent = words.sending(photos.length - at + left.length)
    try {
      await sendPhoto(form, photo)
    } catch (error) {
      left.push(photo)
      why = error instanceof Refused ? words.because(error.message) : words.line
    }
  }
  told.textContent = left.length ? words.missing(left.length) : ''
  return [left, why]
}

// --- the report

// Whether the report is there; why it is not stands in the form.
async function taken(form: HTMLFormElement, report: object): Promise<boolean> {
  const answer = await fetch(form.action, {
    method: 'POST',
    headers: { ...headers(), 'Content-Type': 'application/json' },
    body: JSON.stringify(report),
  })
  if (answer.ok) return true
  const problem = await problemOf(answer)
  say(form, problem.detail ?? problem.title ?? words.fault)
  const at = problem.field ? form.elements.namedItem(problem.field) : null
  if (at instanceof HTMLElement) at.focus()
  return false
}

// What was reported is written down: nothing of it can be changed here any more, only its photos sent.
function close(form: HTMLFormElement): void {
  for (const one of form.querySelectorAll<HTMLInputElement>('input, textarea, select')) one.disabled = true
}

// `begun` is what has to be done before photos are sent: it returns those that are to go, or nothing if it was refused.
function watch(form: HTMLFormElement, begun: (photos: Photo[]) => Promise<Photo[] | undefined>): void {
  const files = field<HTMLInputElement>(form, '[data-files]')
  let choosing = Promise.resolve<Photo[]>([])
  let left: Photo[] | undefined
  files.addEventListener('change', () => {
    choosing = choosing.then(() => chosen(form, Array.from(files.files ?? [])))
  })

  async function send(): Promise<void> {
    left ??= await begun(await choosing)
    if (left === undefined) return
    let why: string
    ;[left, why] = await sent(form, left)
    if (!left.length) {
      location.reload()
      return
    }
    say(form, words.lost(left.length, why))
    field(form, 'button[type=submit]').textContent = words.again
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    if (form.ariaBusy === 'true') return
    form.ariaBusy = 'true'
    say(form, '')
    send()
      .catch(() => {
        say(form, words.offline)
      })
      .finally(() => {
        form.ariaBusy = null
      })
  })
  addEventListener('beforeunload', (event) => {
    if (left?.length) event.preventDefault()
  })
}

// `written` is what a form says beside its photos.
export function reportsWithPhotos(written: (form: HTMLFormElement) => object): void {
  for (const form of document.querySelectorAll<HTMLFormElement>('form[data-report]')) {
    watch(form, async (photos) => {
      const named = photos.map(({ sha256, bytes }) => ({ sha256, bytes }))
      if (!(await taken(form, { ...written(form), photos: named }))) return undefined
      close(form)
      return photos
    })
  }
}

// The same photos chosen again, of a report whose page was closed before all were sent: data-missing has their hashes.
export function photosStillMissing(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>('form[data-missing]')) {
    const missing = form.dataset.missing?.split(' ') ?? []
    watch(form, async (photos) => {
      const theirs = photos.filter(({ sha256 }) => missing.includes(sha256))
      if (theirs.length) return theirs
      say(form, words.others)
      return undefined
    })
  }
}
