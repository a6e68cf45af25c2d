//! The Entry Point's protocol, sans-I/O: HTTP routes, WebSocket, rendering of errors.
#![forbid(unsafe_code)]
