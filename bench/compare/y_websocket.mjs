// y-websocket's server, as it comes: documents in memory, by the request's path.
import { setupWSConnection } from '@y/websocket-server/utils'
import { listen } from './listen.mjs'

listen((socket, request) => setupWSConnection(socket, request))
