import { pause, request } from './http'
import { EventParser, type ServerEvent } from './parser'
import { ApiProblem } from './problem'

const longestPause = 15_000

/**
 * Follows a stream until `onEvent` gives true, over every disconnection: it goes on behind the last event that was seen. EventSource would do, could it send a token.
 * @param onLive called with false while there is no connection.
 * @param after the id of the last event that was seen before.
 */
export async function follow(path: string, onEvent: (event: ServerEvent) => boolean, onLive: (live: boolean) => void, signal: AbortSignal, after = ''): Promise<void> {
  let last = after
  let wait = 500
  while (!signal.aborted) {
    try {
      const response = await request(path, { headers: { Accept: 'text/event-stream', ...(last ? { 'Last-Event-ID': last } : {}) }, signal })
      onLive(true)
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      const parser = new EventParser()
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        for (const event of parser.push(piece.value)) {
          if (event.id) last = event.id
          wait = 500
          if (onEvent(event)) {
            await reader.cancel()
            return
          }
        }
      }
    } catch (error) {
      if (signal.aborted) return
      // Nothing that asking again would change.
      if (error instanceof ApiProblem && error.isFinal) throw error
    }
    onLive(false)
    try {
      await pause(wait * (0.75 + Math.random() / 2), signal)
    } catch {
      return
    }
    wait = Math.min(wait * 2, longestPause)
  }
}
