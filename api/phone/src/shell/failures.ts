// Why something did not go, in words.

import { t, type Word } from '../words'
import { zh } from '../words/zh'

export function failureText(code: string): string {
  const word = `failure_${code}`
  return word in zh ? t(word as Word) : t('failure_other', { code })
}
