// What the page was sent with: which campaign, of which organisation and community, over which base map.

export interface Page {
  campaign: string
  open: boolean
  organisation: string | null
  community: string | null
  base: { layers: string[]; subdomains: string; credit: string; max_zoom: number; system: string }
}

export const page = JSON.parse(document.getElementById('data')?.textContent ?? '{}') as Page
export const english = document.documentElement.lang.startsWith('en')
export const api = `/api/campaigns/${encodeURIComponent(page.campaign)}`

export function say(chinese: string, words: string): string {
  return english ? words : chinese
}

export function amount(count: number): string {
  return count.toLocaleString(english ? 'en' : 'zh-CN')
}

export function distance(metres: number): string {
  return metres < 950 ? `${Math.round(metres / 10) * 10} m` : `${(metres / 1000).toFixed(1)} km`
}

/** A new id; `crypto.randomUUID` is not there on plain HTTP. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id)
  if (!found) throw new Error(`#${id} is missing`)
  return found as Kind
}
