// The numbers of contact cards, as EQ-000123-5: letters, six digits, and a character that shows a slip of the pen
// (ISO 7064, MOD 37,36), read as the server's surveys/contact_cards/card_numbers.py reads them.

const SIGNS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const PARTS = /^([A-Z]{1,4}?)([0-9OIL]{6})([0-9A-Z])$/
const LONGEST = 40 // characters somebody may have typed, spaces and dashes among them
const IN_A_CODE = /#\d{1,10}\.[A-Za-z0-9_-]+\.([A-Za-z0-9-]+)$/

export type CardReading = { number: string } | { fault: 'no_card_number' | 'card_number_mistyped' }

/** What was typed or read out, as the number is printed; or why it is none. */
export function readCardNumber(typed: string): CardReading {
  const plain = typed.normalize('NFKC').toUpperCase().replace(/[^\p{L}\p{N}]/gu, '')
  const parts = PARTS.exec(plain)
  if (!parts || typed.length > LONGEST) return { fault: 'no_card_number' }
  const series = parts[1]!
  const digits = asDigits(parts[2]!)
  const right = checkCharacter(series + digits)
  if (asDigits(parts[3]!) !== asDigits(right)) return { fault: 'card_number_mistyped' }
  return { number: `${series}-${digits}-${right}` }
}

/** The number in what a card's QR code says. Its secret stands before it, and is kept nowhere. */
export function readCardCode(scanned: string): CardReading {
  const found = IN_A_CODE.exec(scanned)
  return readCardNumber(found ? found[1]! : scanned)
}

function asDigits(text: string): string {
  return text.replace(/O/g, '0').replace(/[IL]/g, '1')
}

function checkCharacter(plain: string): string {
  const modulus = SIGNS.length
  const doubled = (check: number): number => ((check || modulus) * 2) % (modulus + 1)
  let check = modulus / 2
  for (const sign of plain) check = (doubled(check) + SIGNS.indexOf(sign)) % modulus
  return SIGNS[(1 - doubled(check) + modulus) % modulus]!
}
