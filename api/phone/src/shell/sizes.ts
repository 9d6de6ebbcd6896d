// Sizes and times as people read them.

import { language } from '../words'

export function megabytes(bytes: number): string {
  const mega = bytes / 1024 / 1024
  if (mega >= 1024) return `${(mega / 1024).toFixed(1)} GB`
  return `${mega < 10 ? mega.toFixed(1) : Math.round(mega)} MB`
}

export function moment(text: string | null): string {
  if (!text) return ''
  const locale = language.value === 'zh' ? 'zh-CN' : 'en-GB'
  const parts = { month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit', hour12: false } as const
  return new Intl.DateTimeFormat(locale, parts).format(new Date(text))
}
