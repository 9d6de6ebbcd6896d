// How the state of a door looks, on the list and on the map alike: one colour and one shape each, never colour alone.

import type { DoorState } from '../data'

export const STATES: DoorState[] = ['not_yet', 'not_home', 'declined', 'closed', 'met']

export interface Look {
  path: string // in a box of 24 by 24
  stroked: boolean // drawn as a line; else filled
  light: string
  dark: string
}

/** ○ not yet, ◆ nobody home, ✕ declined, ▬ closed, ✓ met. */
export const LOOKS: Record<DoorState, Look> = {
  not_yet: { path: 'M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16z', stroked: true, light: '#9a5b13', dark: '#f0b45a' },
  not_home: { path: 'M12 2 22 12 12 22 2 12z', stroked: false, light: '#0072b2', dark: '#5fb3e6' },
  declined: { path: 'M5 5 19 19M19 5 5 19', stroked: true, light: '#b84a00', dark: '#ff8f45' },
  closed: { path: 'M4 12h16', stroked: true, light: '#6d655b', dark: '#b0a595' },
  met: { path: 'M4 12.6 9.6 18.4 20.4 6', stroked: true, light: '#00795a', dark: '#3fc79c' },
}
