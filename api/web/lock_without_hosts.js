// Takes the sponsors' addresses out of the lock file: what is installed is named by version and digest alone.
import { readFileSync, writeFileSync } from 'node:fs'

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
for (const installed of Object.values(lock.packages)) {
  delete installed.funding
  delete installed.resolved
}
writeFileSync('package-lock.json', JSON.stringify(lock, null, 2) + '\n')
