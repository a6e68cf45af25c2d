// tldraw's sync rooms in memory. A plain request gets the schema, which clients greet with.
import { randomUUID } from 'node:crypto'
import { TLSocketRoom } from '@tldraw/sync-core'
import { createTLSchema } from '@tldraw/tlschema'
import { lazily, listen } from './listen.mjs'

const schema = createTLSchema()
const room = lazily(() => new TLSocketRoom({ schema }))

listen(
  (socket, _request, name) => room(name).handleSocketConnect({ sessionId: randomUUID(), socket }),
  (_request, response) => response.end(JSON.stringify(schema.serialize())),
)
