// The page of a service: its report, with who served from when to when and photos that follow it, and a position that
// the leader's phone takes.

const english = document.documentElement.lang.startsWith('en')
const words = english
  ? {
      offline: 'No connection; nothing was sent.',
      fault: 'Something went wrong; nothing was saved.',
      smaller: 'Making the photos smaller…',
      ready: (count: number) => `Photos ready: ${count}`,
      sending: (count: number) => `The report is there; sending photos, still to go: ${count}`,
      lost: 'The report is there, but not all photos. Send again; what has come is not sent twice.',
      unread: 'A file is no photo, or this page is not opened over HTTPS.',
      looking: 'Looking for your position…',
      taken: (metres: number) => `Position taken, to within ${metres} m.`,
      nowhere: 'No position; the place in words is enough.',
    }
  : {
      offline: '网络不通，没有发出。',
      fault: '程序出错了，内容没有保存。',
      smaller: '正在处理照片……',
      ready: (count: number) => `照片已备好：${count} 张`,
      sending: (count: number) => `结果已登记，正在上传照片，还剩 ${count} 张`,
      lost: '结果已登记，照片没有传完，请再点一次；已传的不会重复上传。',
      unread: '文件不是照片，或页面不是以 HTTPS 打开的。',
      looking: '正在定位……',
      taken: (metres: number) => `已定位，误差约 ${metres} 米。`,
      nowhere: '定位没有成功，写明地点即可。',
    }

const SIDE = 1600 // pixels of the longer side; the server keeps no more
const MOST_PHOTOS = 20

interface Photo {
  sha256: string
  bytes: number
  content: Blob
}

function headers(): Record<string, string> {
  const csrf = document.cookie.split('; ').find((one) => one.startsWith('zoufang_csrf='))
  return { 'Accept-Language': english ? 'en' : 'zh-CN', 'X-CSRF-Token': csrf?.slice('zoufang_csrf='.length) ?? '' }
}

function field<T extends HTMLElement>(within: ParentNode, selector: string): T {
  const found = within.querySelector<T>(selector)
  if (!found) throw new Error(selector)
  return found
}

function say(form: HTMLFormElement, told: string): void {
  const alert = field<HTMLElement>(form, '[role=alert]')
  alert.textContent = told
  alert.hidden = !told
}

// --- photos

async function smaller(file: File): Promise<Blob> {
  const picture = await createImageBitmap(file)
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(picture.width * scale))
  canvas.height = Math.max(1, Math.round(picture.height * scale))
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height)
  return new Promise((resolve) => {
    canvas.toBlob((blob) => {
      resolve(blob ?? file)
    }, 'image/jpeg', 0.85)
  })
}

async function promised(file: File): Promise<Photo> {
  const content = await smaller(file)
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await content.arrayBuffer()))
  const sha256 = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return { sha256, bytes: content.size, content }
}

let photos: Photo[] = []

async function choose(form: HTMLFormElement, files: File[]): Promise<void> {
  const told = field<HTMLElement>(form, '[data-photos-told]')
  told.textContent = words.smaller
  const found: Photo[] = []
  try {
    for (const file of files.slice(0, MOST_PHOTOS)) {
      const photo = await promised(file)
      if (!found.some((one) => one.sha256 === photo.sha256)) found.push(photo)
    }
    told.textContent = words.ready(found.length)
  } catch {
    told.textContent = words.unread
  }
  photos = found
}

async function upload(form: HTMLFormElement): Promise<void> {
  const told = field<HTMLElement>(form, '[data-photos-told]')
  for (const [sent, photo] of photos.entries()) {
    told.textContent = words.sending(photos.length - sent)
    const answer = await fetch(`${form.dataset.photos}/${photo.sha256}`, {
      method: 'PUT',
      headers: { ...headers(), 'Content-Type': 'application/octet-stream' },
      body: photo.content,
    })
    if (!answer.ok) throw new Error(String(answer.status))
  }
}

// --- the report

function moment(input: HTMLInputElement): string {
  return new Date(input.value).toISOString()
}

function report(form: HTMLFormElement): object {
  const data = new FormData(form)
  const served = Array.from(form.querySelectorAll<HTMLElement>('[data-served]'))
    .filter((row) => field<HTMLInputElement>(row, '[data-served-tick]').checked)
    .map((row) => ({
      volunteer: row.dataset.served,
      served_from: moment(field(row, '[data-from]')),
      served_to: moment(field(row, '[data-to]')),
    }))
  return {
    id: data.get('id'),
    expected_version: Number(data.get('expected_version')),
    done: data.get('done'),
    helped: Number(data.get('helped')),
    came: data.getAll('came'),
    served,
    photos: photos.map(({ sha256, bytes }) => ({ sha256, bytes })),
  }
}

async function send(form: HTMLFormElement): Promise<void> {
  const answer = await fetch(form.action, {
    method: 'POST',
    headers: { ...headers(), Accept: 'application/json', 'Content-Type': 'application/json' },
    body: JSON.stringify(report(form)),
  })
  if (!answer.ok) {
    const problem = (await answer.json().catch(() => ({}))) as { title?: string; detail?: string }
    say(form, problem.detail ?? problem.title ?? words.fault)
    return
  }
  try {
    await upload(form)
  } catch {
    say(form, words.lost)
    return
  }
  location.reload()
}

for (const form of document.querySelectorAll<HTMLFormElement>('form[data-report]')) {
  const files = field<HTMLInputElement>(form, '[data-files]')
  files.addEventListener('change', () => void choose(form, Array.from(files.files ?? [])))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    if (form.ariaBusy === 'true') return
    form.ariaBusy = 'true'
    say(form, '')
    send(form)
      .catch(() => {
        say(form, words.offline)
      })
      .finally(() => {
        form.ariaBusy = null
      })
  })
}

// --- where it is

function put(within: HTMLElement, name: string, value: number | string, kind: string): void {
  const input =
    within.querySelector<HTMLInputElement>(`[name="${name}"]`) ?? within.appendChild(document.createElement('input'))
  Object.assign(input, { type: kind, name, value: String(value), hidden: true, step: 'any' })
}

for (const where of document.querySelectorAll<HTMLElement>('[data-where]')) {
  const told = field<HTMLElement>(where, '[data-where-told]')
  field<HTMLButtonElement>(where, '[data-locate]').addEventListener('click', () => {
    told.textContent = words.looking
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        put(where, 'position.lon', coords.longitude, 'number')
        put(where, 'position.lat', coords.latitude, 'number')
        put(where, 'position.accuracy_m', Math.min(Math.round(coords.accuracy), 1_000_000), 'number')
        told.textContent = words.taken(Math.round(coords.accuracy))
      },
      () => {
        told.textContent = words.nowhere
      },
      { enableHighAccuracy: true, timeout: 15_000 },
    )
  })
}

export {}
