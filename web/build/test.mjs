// node ../build/test.mjs in a package: bundles each file of its tests/ and runs them with Node's test runner, because Node.js 20 reads no TypeScript.
import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const { rolldown } = await import(pathToFileURL(createRequire(resolve('package.json')).resolve('rolldown')).href)

const output = 'node_modules/.tests'
rmSync(output, { recursive: true, force: true })
const tests = readdirSync('tests').filter((name) => /\.test\.tsx?$/.test(name)).map((name) => join('tests', name))
const bundle = await rolldown({ input: tests, platform: 'node', external: [/^node:/] })
const { output: chunks } = await bundle.write({ dir: output, format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: 'shared-[hash].mjs' })
await bundle.close()
const files = chunks.filter((chunk) => chunk.type === 'chunk' && chunk.isEntry).map((chunk) => join(output, basename(chunk.fileName)))
process.exit(spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' }).status ?? 1)
