// Prints the comparison of a report as a Markdown table, or with --svg as a plot.
//
//   node bench/compare/table.mjs [--svg] target/bench/report.json
import { readFileSync } from 'node:fs'

const shapes = ['50x2', '20x10', '1x100']
const file = process.argv.slice(2).find((argument) => !argument.startsWith('--'))
const rows = new Map(JSON.parse(readFileSync(file, 'utf8')).rows.map((row) => [row.id, row]))
const ours = 'Sticker Desk'

/** Median and spread of a server in a row, if it was measured. */
function cell(id, server) {
  const row = rows.get(id)
  if (server === ours) return { value: row.value, spread: row.spread }
  return row.peers[server] && { value: row.peers[server], spread: row.peer_spreads[server] }
}

const cost = (shape) => `compare.${shape}.cpu_us_per_op`
const servers = [ours, ...Object.keys(rows.get(cost(shapes[0])).peers)]
servers.sort((a, b) => cell(cost(shapes[0]), a).value - cell(cost(shapes[0]), b).value)

const short = (value) => Number(value.toPrecision(value < 10 ? 2 : 3)).toLocaleString('en')
const ranged = ({ value, spread }) => `${short(value)} [${spread.map(short).join(', ')}]`

const durability = 'Only what is called durable keeps anything when its server ends.'

function table() {
  const lines = [
    '| server | 50 × 2 | 20 × 10 | a delivery | 1 × 100 | a delivery | idle KiB |',
    '|---|---|---|---|---|---|---|',
  ]
  for (const server of servers) {
    const cells = [server === ours ? `**${ours}, durable**` : server]
    for (const shape of shapes) {
      cells.push(ranged(cell(cost(shape), server)))
      if (shape !== shapes[0]) {
        cells.push(short(cell(`compare.${shape}.cpu_us_per_delivery`, server).value))
      }
    }
    const idle = cell('compare.idle.resident_kib', server)
    cells.push(idle ? short(idle.value) : '')
    lines.push(`| ${cells.join(' | ')} |`)
  }
  lines.push('', durability)
  return lines.join('\n')
}

/** A panel a shape, a bar a server, on one logarithmic axis. */
function plot() {
  const [left, width, line, panel] = [190, 560, 20, servers.length * 20 + 46]
  const all = shapes.flatMap((shape) => servers.flatMap((server) => cell(cost(shape), server).spread))
  const low = Math.floor(Math.log10(Math.min(...all)))
  const high = Math.ceil(Math.log10(Math.max(...all)))
  const at = (value) => left + ((Math.log10(value) - low) / (high - low)) * width
  const parts = []
  shapes.forEach((shape, index) => {
    const top = index * panel
    const title = `${shape.replace('x', ' × ')}: µs of server CPU an operation`
    parts.push(`<text x="${left}" y="${top + 16}" class="title">${title}</text>`)
    const bottom = top + 24 + servers.length * line
    for (let decade = low; decade <= high; decade++) {
      const x = at(10 ** decade).toFixed(1)
      parts.push(`<path class="axis" d="M${x} ${top + 22}V${bottom}"/>`)
      parts.push(`<text x="${x}" y="${bottom + 13}" text-anchor="middle">${10 ** decade}</text>`)
    }
    servers.forEach((server, place) => {
      const { value, spread } = cell(cost(shape), server)
      const y = top + 24 + place * line
      const [x, from, to] = [value, ...spread].map((figure) => at(figure).toFixed(1))
      const kind = server === ours ? 'ours' : server.startsWith('relay') ? 'relay' : 'other'
      const name = server === ours ? `${ours}, durable` : server
      parts.push(`<text x="${left - 8}" y="${y + 13}" text-anchor="end">${name}</text>`)
      parts.push(`<rect class="${kind}" x="${left}" y="${y + 3}" width="${(x - left).toFixed(1)}" height="13"/>`)
      parts.push(`<path class="spread" d="M${from} ${y + 9.5}H${to}"/>`)
      parts.push(`<text x="${(Math.max(x, to) + 6).toFixed(1)}" y="${y + 13}">${short(value)}</text>`)
    })
  })
  const foot = shapes.length * panel + 12
  parts.push(`<text x="${left}" y="${foot}">${durability}</text>`)
  const style =
    'text{font:12px system-ui,sans-serif;fill:#1d1d1b}.title{font-weight:600}' +
    '.axis{stroke:#d8d6cf}.spread{stroke:#1d1d1b;stroke-width:2}' +
    '.ours{fill:#2f8a4c}.relay{fill:#b9b6ac}.other{fill:#4a7fb5}'
  const [w, h] = [left + width + 70, foot + 10]
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}">` +
    `<style>${style}</style><rect width="${w}" height="${h}" fill="#fbfaf7"/>\n${parts.join('\n')}\n</svg>`
  )
}

console.log(process.argv.includes('--svg') ? plot() : table())
