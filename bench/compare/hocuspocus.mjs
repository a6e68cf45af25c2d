// Hocuspocus as it comes, without an extension: documents in memory, by the name in each message.
import { Server } from '@hocuspocus/server'

const server = new Server({ address: '127.0.0.1', port: 0, quiet: true, stopOnSignals: false })
server.httpServer.listen(0, '127.0.0.1', () =>
  console.log(`ready: 127.0.0.1:${server.httpServer.address().port}`),
)
