// The words of the desk, where paper records are typed in.

import { dictionary } from '../words'

const zh = {
  paper: '补录纸质走访记录',
  explain: '把纸上的走访记录录入系统，会注明“补录”和录入人。照着纸上写的填，时间填走访当时的时间。',
  visitor: '走访人',
  visitorSelf: '是我自己走访的',
  visitorChange: '更换',
  when: '走访时间',
  day: '日期',
  from: '开始',
  to: '结束',
  whenFuture: '时间在将来，请检查',
  whenReversed: '结束早于开始，请检查',
  door: '走访对象',
  doorSearch: '在名册里查找：名称、地址',
  doorNone: '名册里没有，就按新走访对象录入',
  doorNew: '名册里没有，新增',
  doorChange: '更换',
  doorOffline: '联网后可以查名册',
  file: '存入并录下一份',
  again: '接着录',
  unfinished: '没录完的',
  notAllowed: '补录由社区工作人员、组织员、调度员或管理员办理',
  toOutbox: '发件箱',
} as const

export type DeskWord = keyof typeof zh

const en: Record<DeskWord, string> = {
  paper: 'Type in a paper record',
  explain: 'What was written on paper is typed in here, and marked as such with who typed it. Times are those of the visit.',
  visitor: 'Who visited',
  visitorSelf: 'I did',
  visitorChange: 'Change',
  when: 'When',
  day: 'Day',
  from: 'From',
  to: 'To',
  whenFuture: 'This is in the future',
  whenReversed: 'It ends before it begins',
  door: 'Door',
  doorSearch: 'Search the register: name, address',
  doorNone: 'Not on the register: type it in as a new door',
  doorNew: 'Not on the register',
  doorChange: 'Change',
  doorOffline: 'The register can be searched with a network',
  file: 'Keep, and on to the next',
  again: 'Go on',
  unfinished: 'Not finished',
  notAllowed: 'Paper records are typed in by community workers, organisers, dispatchers and administrators',
  toOutbox: 'Outbox',
}

export const d = dictionary<DeskWord>(zh, en)
