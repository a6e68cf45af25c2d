// Liveblocks' server with storage in memory.
import { InMemoryDriver, ProtocolVersion, Room } from '@liveblocks/server'
import { lazily, listen } from './listen.mjs'

const room = lazily((name) => new Room(name, { storage: new InMemoryDriver() }))

listen((socket, _request, name) => {
  const ticket = room(name).createTicket({ version: ProtocolVersion.V8, scopes: ['room:write'] })
  const line = {
    send: (message) => (socket.send(message), 1),
    close: (code, reason) => socket.close(code, reason),
  }
  room(name).startBrowserSession(ticket, line, undefined, () => {})
  socket.on('message', (data) =>
    room(name).handleData(ticket.sessionKey, data.toString(), undefined, () => {}),
  )
  socket.on('close', (code) =>
    room(name).endBrowserSession(ticket.sessionKey, code, '', undefined, () => {}),
  )
})
