// The four map groups: one colour and one shape each, everywhere.

import { svg } from './dom'
import { text } from './texts'

export const GROUPS = ['reported', 'in_hand', 'overdue', 'solved', 'other'] as const
export type Group = (typeof GROUPS)[number]
export const OPEN_GROUPS: Group[] = ['reported', 'in_hand', 'overdue']

const SHAPES: Record<Group, string> = {
  reported: 'M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18z',
  in_hand: 'M12 1.6 22.4 12 12 22.4 1.6 12z',
  overdue: 'M12 2.2 22.8 21H1.2z',
  solved: 'M4 12.6 9.6 18.4 20.4 6',
  other: 'M5 12h14',
}

export function groupName(group: Group): string {
  return text[group]
}

export function colourClass(group: Group): string {
  return group.replace('_', '-')
}

/** The shape of a group; decoration only, its name stands beside it. */
export function mark(group: Group, size = 16): SVGSVGElement {
  const stroked = group === 'solved' || group === 'other'
  const path = svg('path', { d: SHAPES[group], class: stroked ? 'mark-stroke' : 'mark-fill' })
  const halo = svg('path', { d: SHAPES[group], class: stroked ? 'mark-halo mark-halo-stroke' : 'mark-halo' })
  return svg(
    'svg',
    { viewBox: '-2 -2 28 28', width: size, height: size, class: `mark ${colourClass(group)}`, 'aria-hidden': 'true' },
    halo,
    path,
  )
}

/** A ring parted by group, with room for a number inside. */
export function ring(counts: Record<Group, number>, size: number, thickness: number): SVGSVGElement {
  const middle = size / 2
  const radius = middle - thickness / 2 - 1
  const whole = 2 * Math.PI * radius
  const present = GROUPS.filter((group) => counts[group] > 0)
  const total = present.reduce((sum, group) => sum + counts[group], 0)
  const gap = present.length > 1 ? 1.5 : 0
  const parts: SVGElement[] = []
  let turned = 0
  for (const group of present) {
    const length = (counts[group] / total) * whole
    parts.push(
      svg('circle', {
        cx: middle,
        cy: middle,
        r: radius,
        class: `ring-part ${colourClass(group)}`,
        'stroke-width': thickness,
        'stroke-dasharray': `${Math.max(0.5, length - gap)} ${whole}`,
        'stroke-dashoffset': -turned,
        transform: `rotate(-90 ${middle} ${middle})`,
      }),
    )
    turned += length
  }
  return svg(
    'svg',
    { viewBox: `0 0 ${size} ${size}`, width: size, height: size, class: 'ring', 'aria-hidden': 'true' },
    svg('circle', { cx: middle, cy: middle, r: middle - 0.5, class: 'ring-ground' }),
    ...parts,
  )
}
