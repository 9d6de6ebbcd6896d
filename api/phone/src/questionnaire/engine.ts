// A questionnaire under ODK's engine: opened, filled in, kept as a draft, and read as the values that are sent.

import './missing'
import * as engine from '@getodk/xforms-engine'
import {
  type AnyNode,
  type GeneralChildNode,
  type InputNode,
  type InstanceData,
  loadForm,
  type RootNode,
  type UploadNode,
} from '@getodk/xforms-engine'
import { reactive } from 'vue'

export type { AnyNode, GeneralChildNode, RootNode }

/** What is kept of a questionnaire that is half filled in. */
export interface Draft {
  xml: string
}

export interface Answer {
  sha256: string
  name: string
}

export type Values = Record<string, unknown>

type RepeatInstance = Extract<AnyNode, { nodeType: 'repeat-instance' }>

const INSTANCE = 'xml_submission_file'
const PHOTO = /\b[0-9a-f]{64}\.jpg\b/g

export class Unfit extends Error {}

/** Open a form, where it was left if there is a draft that fits it. Throws Unfit for a form that cannot be opened. */
export async function open(xform: string, draft: Draft | null): Promise<RootNode> {
  await (engine as unknown as { ready: Promise<void> }).ready // see vite.config.js
  const form = await loadForm(xform)
  if (form.status === 'failure') throw new Unfit(String(form.error))
  const config = { stateFactory: <T extends object>(object: T): T => reactive(object) as T }
  if (draft) {
    try {
      return (await form.restoreInstance({ data: [kept(draft)] }, config)).root
    } catch (error) {
      console.warn('A draft does not fit its form any more', error)
    }
  }
  return form.createInstance(config).root
}

/** A draft as the engine reads one. Photos lie in the client's own store: here their names stand for them. */
function kept({ xml }: Draft): InstanceData {
  const data = new FormData()
  data.append(INSTANCE, new File([xml], INSTANCE, { type: 'text/xml' }))
  for (const name of new Set(xml.match(PHOTO))) data.append(name, placeholder(name))
  return data as unknown as InstanceData
}

export function placeholder(name: string): File {
  return new File([name], name, { type: 'image/jpeg' })
}

export function draftOf(root: RootNode): Draft {
  return { xml: root.instanceState.instanceXML }
}

export function isComplete(root: RootNode): boolean {
  return root.validationState.violations.length === 0
}

/** The answers by the names of their questions; what is not asked, and what has no answer, is left out. */
export function valuesOf(root: RootNode): Values {
  return inside(root.currentState.children)
}

function inside(children: readonly GeneralChildNode[]): Values {
  const values: Values = {}
  for (const node of children) {
    if (!node.currentState.relevant || nameOf(node) === 'meta') continue
    if (node.nodeType === 'group') Object.assign(values, inside(node.currentState.children))
    else if (node.nodeType === 'repeat-range:controlled' || node.nodeType === 'repeat-range:uncontrolled') {
      const entries = (node.currentState.children as readonly RepeatInstance[]).map((entry) =>
        inside(entry.currentState.children),
      )
      const filled = entries.filter((entry) => Object.keys(entry).length > 0)
      if (filled.length > 0) values[nameOf(node)] = filled
    } else {
      const value = valueOf(node)
      if (value !== undefined) values[nameOf(node)] = value
    }
  }
  return values
}

function valueOf(node: GeneralChildNode): unknown {
  switch (node.nodeType) {
    case 'select': {
      const chosen = [...node.currentState.value]
      if (chosen.length === 0) return undefined
      return node.selectType === 'select' ? chosen : chosen[0]
    }
    case 'input':
      return inputValue(node as InputNode)
    case 'upload':
      return photoOf(node) ?? undefined
    case 'model-value':
      return node.currentState.instanceValue || undefined
    default:
      return undefined
  }
}

function inputValue(node: InputNode): unknown {
  const text = node.currentState.instanceValue
  if (!text) return undefined
  if (node.valueType === 'int' || node.valueType === 'decimal') return Number(text)
  if (node.valueType === 'geopoint') return pointOf(text)
  return text
}

export interface Point {
  lon: number
  lat: number
  altitude_m?: number
  accuracy_m?: number
}

/** A place as the engine writes it: latitude, longitude, altitude, accuracy. */
export function pointOf(text: string): Point | undefined {
  const [lat, lon, altitude, accuracy] = text.split(' ').map(Number)
  if (lat === undefined || lon === undefined) return undefined
  const point: Point = { lon, lat }
  if (altitude) point.altitude_m = altitude
  if (accuracy) point.accuracy_m = accuracy
  return point
}

export function photoOf(node: UploadNode): Answer | null {
  const name = node.currentState.instanceValue
  return name ? { sha256: name.replace(/\.jpg$/, ''), name } : null
}

/** The photos among the answers, by their hashes. */
export function photosOf(root: RootNode): string[] {
  return [...new Set(root.instanceState.instanceXML.match(PHOTO))].map((name) => name.replace('.jpg', ''))
}

export function nameOf(node: AnyNode): string {
  return node.currentState.reference.replace(/\[\d+\]$/, '').split('/').pop() ?? ''
}

/** Speak a language, where the form does. */
export function speak(root: RootNode, language: string): void {
  const names: Record<string, RegExp> = { zh: /\(zh\)|中文|^chinese|^zh/i, en: /\(en\)|英|^english|^en/i }
  const found = root.languages.find((one) => names[language]?.test(one.language))
  if (found && !found.isSyntheticDefault) root.setLanguage(found)
}
