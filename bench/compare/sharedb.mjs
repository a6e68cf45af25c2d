// ShareDB over its memory database, a json0 document a room. A client is listened to once the
// document is there.
import WebSocketJSONStream from '@teamwork/websocket-json-stream'
import ShareDB from 'sharedb'
import { lazily, listen } from './listen.mjs'

const backend = new ShareDB()
const connection = backend.connect()
const room = lazily(
  (name) =>
    new Promise((done, fail) => {
      connection.get('rooms', name).create({}, (error) => (error ? fail(error) : done()))
    }),
)

listen((socket, _request, name) => {
  const stream = new WebSocketJSONStream(socket)
  room(name).then(() => backend.listen(stream))
})
