// Fails when src/api/schema.ts is not what the gateway's OpenAPI document says. What the API has besides cannot break a page: then it only says so.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const generated = spawnSync('openapi-typescript', ['../../services/gateway/openapi.json'], { encoding: 'utf8', maxBuffer: 64 << 20 })
if (generated.status !== 0) {
  console.error(generated.stderr || generated.error)
  process.exit(1)
}
const lines = (text) => text.split('\n').map((line) => line.trimEnd()).filter(Boolean)
const wanted = lines(generated.stdout)
const given = lines(readFileSync('src/api/schema.ts', 'utf8'))
let at = 0
for (const line of wanted) if (at < given.length && line === given[at]) at++
if (at < given.length) {
  console.error(`src/api/schema.ts is out of date, from "${given[at].trim()}" on: npm run api makes it again.`)
  process.exit(1)
}
if (wanted.length > given.length) console.log('The API has more than src/api/schema.ts knows: npm run api makes it again.')
