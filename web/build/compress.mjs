// node ../build/compress.mjs NAME LIMIT: writes .br and .gz beside what compresses well, so that a server only chooses.
// Fails when the scripts of a package are more than LIMIT KB together, compressed with gzip.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const [name, limit] = process.argv.slice(2)
const folder = process.env.WEB_OUTPUT ?? `../../artifacts/web/${name}`
const compressible = /\.(html|js|css|svg|json|txt|webmanifest)$/
let script = 0

for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !compressible.test(entry.name)) continue
  const path = join(entry.parentPath ?? entry.path, entry.name)
  const content = readFileSync(path)
  const gzip = gzipSync(content, { level: 9 })
  const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } })
  if (gzip.length < content.length) writeFileSync(path + '.gz', gzip)
  if (brotli.length < content.length) writeFileSync(path + '.br', brotli)
  if (entry.name.endsWith('.js')) script += gzip.length
}

console.log(`${(script / 1024).toFixed(1)} KB of compressed script`)
if (script > Number(limit) * 1024) {
  console.error(`The limit is ${limit} KB.`)
  process.exit(1)
}
