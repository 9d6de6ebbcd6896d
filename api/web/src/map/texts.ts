// The words of the page in its language, and numbers and times as that language writes them.

import { page } from './page'
import { en } from './texts.en'
import { zh } from './texts.zh'

export const english = page.language === 'en'
export const text = english ? en : zh
const locale = english ? 'en-GB' : 'zh-CN'

const numbers = new Intl.NumberFormat(locale)
const decimals = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })
const fine = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 })
const shares = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })
const moments = new Intl.DateTimeFormat(locale, {
  timeZone: page.district.zone,
  year: 'numeric',
  month: english ? 'short' : 'numeric',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hour12: false,
})
const dayFormat = new Intl.DateTimeFormat(locale, {
  timeZone: 'UTC',
  year: 'numeric',
  month: english ? 'short' : 'long',
  day: 'numeric',
})
const shortDays = new Intl.DateTimeFormat(locale, { timeZone: page.district.zone, month: 'short', day: 'numeric' })

export function amount(value: number): string {
  return numbers.format(value)
}

/** A number that has to fit into a ring. */
export function briefly(value: number): string {
  if (value < 10_000) return String(value)
  return english ? `${Math.round(value / 1000)}k` : `${(value / 10_000).toFixed(value < 100_000 ? 1 : 0)}万`
}

/** A number with one decimal, or two where it is less than one. */
export function decimal(value: number): string {
  return (Math.abs(value) < 1 ? fine : decimals).format(value)
}

export function share(value: number): string {
  return shares.format(value)
}

/** A moment in the district's time zone. */
export function moment(iso: string): string {
  return moments.format(new Date(iso))
}

/** The day of a moment, without the year. */
export function shortDay(iso: string): string {
  return shortDays.format(new Date(iso))
}

/** A calendar day written as YYYY-MM-DD. */
export function day(iso: string): string {
  return dayFormat.format(new Date(`${iso}T00:00:00Z`))
}

/** How long, in the one unit that matters. */
export function duration(milliseconds: number): string {
  const minutes = Math.max(1, Math.round(milliseconds / 60_000))
  if (minutes < 60) return text.minutes(minutes)
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? text.hours(hours) : text.days(Math.floor(hours / 24))
}
