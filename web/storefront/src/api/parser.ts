export interface ServerEvent {
  id: string
  type: string
  data: string
}

/** Splits a stream of server-sent events (WHATWG HTML, 9.2.6), whatever the pieces it comes in. */
export class EventParser {
  #rest = ''
  #id = ''
  #type = ''
  #data: string[] = []

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = []
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0) events.push({ id: this.#id, type: this.#type || 'message', data: this.#data.join('\n') })
        this.#type = ''
        this.#data = []
        continue
      }
      const colon = line.indexOf(':')
      if (colon === 0) continue
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'data') this.#data.push(value)
      else if (field === 'event') this.#type = value
      else if (field === 'id' && !value.includes('\0')) this.#id = value
    }
    return events
  }
}
