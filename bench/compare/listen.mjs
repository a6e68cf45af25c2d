// A WebSocket server of rooms at a free port, which it prints.
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

/** `open(socket, request, room)` takes each connection, `answer` the plain requests. */
export function listen(open, answer = (_request, response) => response.end()) {
  const http = createServer(answer)
  const sockets = new WebSocketServer({ server: http })
  sockets.on('connection', (socket, request) => open(socket, request, request.url.split('/').pop()))
  http.listen(0, '127.0.0.1', () => console.log(`ready: 127.0.0.1:${http.address().port}`))
}

/** A map that makes what it has not. */
export function lazily(make) {
  const known = new Map()
  return (name) => {
    if (!known.has(name)) known.set(name, make(name))
    return known.get(name)
  }
}
