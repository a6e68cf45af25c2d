//! Status codes and the phrases of their status lines.

/// A status code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Status(pub u16);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal $phrase:literal,)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The phrase of the status line.
            pub const fn phrase(self) -> &'static str {
                match self.0 {
                    $($code => $phrase,)*
                    _ => "",
                }
            }
        }
    };
}

statuses! {
    /// Send the body.
    CONTINUE = 100 "Continue",
    /// The connection is a WebSocket from here.
    SWITCHING_PROTOCOLS = 101 "Switching Protocols",
    /// Done.
    OK = 200 "OK",
    /// The diff was received: the product's own code.
    DESK_UPDATED = 221 "Desk Updated",
    /// What the caller has is current.
    NOT_MODIFIED = 304 "Not Modified",
    /// To the machine that has the desk now.
    TEMPORARY_REDIRECT = 307 "Temporary Redirect",
    /// To https.
    PERMANENT_REDIRECT = 308 "Permanent Redirect",
    /// Malformed.
    BAD_REQUEST = 400 "Bad Request",
    /// Unknown or void key.
    UNAUTHORIZED = 401 "Unauthorized",
    /// The key does not allow it.
    FORBIDDEN = 403 "Forbidden",
    /// No such desk or address.
    NOT_FOUND = 404 "Not Found",
    /// The address does not do this.
    METHOD_NOT_ALLOWED = 405 "Method Not Allowed",
    /// The request took too long to arrive.
    REQUEST_TIMEOUT = 408 "Request Timeout",
    /// Answered before, differently.
    CONFLICT = 409 "Conflict",
    /// The desk has expired.
    GONE = 410 "Gone",
    /// The body is too large.
    CONTENT_TOO_LARGE = 413 "Content Too Large",
    /// The body is of another kind.
    UNSUPPORTED_MEDIA_TYPE = 415 "Unsupported Media Type",
    /// An expectation other than 100-continue.
    EXPECTATION_FAILED = 417 "Expectation Failed",
    /// The Host is not ours.
    MISDIRECTED_REQUEST = 421 "Misdirected Request",
    /// Well formed, but impossible.
    UNPROCESSABLE_CONTENT = 422 "Unprocessable Content",
    /// Another protocol version is needed.
    UPGRADE_REQUIRED = 426 "Upgrade Required",
    /// Too much at once; see `Retry-After`.
    TOO_MANY_REQUESTS = 429 "Too Many Requests",
    /// The head is too large.
    HEADER_FIELDS_TOO_LARGE = 431 "Request Header Fields Too Large",
    /// The server failed.
    INTERNAL_SERVER_ERROR = 500 "Internal Server Error",
    /// A coding that is not understood.
    NOT_IMPLEMENTED = 501 "Not Implemented",
    /// Not now; see `Retry-After`.
    SERVICE_UNAVAILABLE = 503 "Service Unavailable",
    /// Neither HTTP/1.1 nor HTTP/1.0.
    VERSION_NOT_SUPPORTED = 505 "HTTP Version Not Supported",
}
