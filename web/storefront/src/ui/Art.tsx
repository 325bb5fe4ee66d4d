import styles from './ui.module.css'
import palette from './art.module.css'

// Drawings instead of photographs: each product gets a still life of its own, the same one each time.

const hash = (text: string): number => {
  let value = 2166136261
  for (const letter of text) value = Math.imul(value ^ letter.codePointAt(0)!, 16777619)
  return value >>> 0
}

const shapes: Record<string, string> = {
  mug: 'M112 214h88v74a26 26 0 0 1-26 26h-36a26 26 0 0 1-26-26zM200 232h14a24 24 0 0 1 0 48h-14v-14h12a10 10 0 0 0 0-20h-12z',
  bowl: 'M88 236h144a72 78 0 0 1-48 74v4h-48v-4a72 78 0 0 1-48-74z',
  bottle: 'M144 120h32v52c0 14 22 24 22 54v88h-76v-88c0-30 22-40 22-54z',
  vase: 'M138 140h44l-6 34c30 22 40 52 34 90-4 26-16 42-24 50h-52c-8-8-20-24-24-50-6-38 4-68 34-90z',
  lamp: 'M126 130h68l30 78H96zM154 208h12v84h-12zM124 292h72v22h-72z',
  kettle: 'M124 200h78l16 114H112zM146 178h34v22h-34zM208 226l36-20 8 12-40 34zM112 208c-34 6-34 62-2 80v-16c-16-14-14-42 2-48z',
  phones: 'M94 250a66 66 0 0 1 132 0h-16a50 50 0 0 0-100 0zM86 244h34v62H98a12 12 0 0 1-12-12zM200 244h34v50a12 12 0 0 1-12 12h-22z',
  watch: 'M136 120h48l6 56h-60zM130 264h60l-6 56h-48zM160 164a56 56 0 1 1 0 112 56 56 0 0 1 0-112z',
  box: 'M86 176h148v138H86z',
  book: 'M110 150h92a10 10 0 0 1 10 10v154H110a12 12 0 0 1-12-12V162a12 12 0 0 1 12-12z',
  board: 'M118 150h84a14 14 0 0 1 14 14v150H104V164a14 14 0 0 1 14-14zM146 104h28v46h-28z',
  cloth: 'M98 170c40 14 84 14 124 0v128c-20 12-40 2-62 10s-44 6-62-6z',
  torch: 'M122 132h76l-12 62h-52zM138 194h44v120h-44z',
  keys: 'M74 226h172v88H74z',
}

const words: readonly (readonly [RegExp, string])[] = [
  [/towel|cloth|linen|\bbag/i, 'cloth'],
  [/keyboard/i, 'keys'],
  [/board|tray/i, 'board'],
  [/mug|\bcup|\btea|coffee/i, 'mug'],
  [/headphone|earphone/i, 'phones'],
  [/watch|clock/i, 'watch'],
  [/torch|holder|candle/i, 'torch'],
  [/lamp|light|lantern/i, 'lamp'],
  [/kettle|press|\bpot|jug/i, 'kettle'],
  [/bowl|dish|plate/i, 'bowl'],
  [/radio|speaker|\bhub|\bbox|\btin\b/i, 'box'],
  [/book|note|\bcard/i, 'book'],
  [/bottle|glass/i, 'bottle'],
]
const others = ['vase', 'bottle', 'bowl', 'box', 'book'] as const

const detailOf: Record<string, string> = {
  watch: 'M160 186v34l22 14',
  box: 'M108 246a22 22 0 1 0 44 0 22 22 0 1 0-44 0M172 226h40M172 246h40M172 266h28',
  book: 'M122 150v164M140 186h50M140 204h34',
  keys: 'M92 248h136M92 270h136M120 292h80',
  mug: 'M112 236h88',
  bowl: 'M96 252h128',
  lamp: 'M104 208h112',
  vase: 'M112 236h100',
}

export function Art({ id, name }: { id: string; name: string }) {
  const seed = hash(id)
  const shape = words.find(([word]) => word.test(name))?.[1] ?? others[seed % others.length]!
  const sun = 52 + (seed % 5) * 10
  const x = seed & 8 ? 104 : 216
  const y = 108 + (seed % 7) * 9
  const table = 314
  return (
    // Beside it stands the name: the drawing says nothing more.
    <svg className={`${styles.art} ${palette.art}`} data-tone={seed % 6} viewBox="0 0 320 400" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">
      <rect className={palette.ground} width="320" height="400" />
      {seed % 3 === 0 ? (
        <circle className={palette.sun} cx={x} cy={y} r={sun} />
      ) : seed % 3 === 1 ? (
        <path className={palette.sun} d={`M${x - 70} ${table}V190a70 70 0 0 1 140 0v${table - 190}z`} />
      ) : (
        <path className={palette.sun} d={`M0 ${y + 70} 320 ${y - 20}V${table}H0z`} />
      )}
      <rect className={palette.table} y={table} width="320" height={400 - table} />
      <ellipse className={palette.shade} cx="166" cy={table + 5} rx="92" ry="9" />
      <path className={palette.thing} d={shapes[shape]} />
      {detailOf[shape] && <path className={palette.detail} d={detailOf[shape]} />}
    </svg>
  )
}
