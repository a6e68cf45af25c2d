//! The page: files embedded at compile time, and the rules of the web for them.

use desk_protocol::LinkId;

use crate::http::{Body, NO_INDEX, RequestHead, Response, Status};

/// One file of the page.
#[derive(Debug)]
struct File {
    /// Path of its address.
    path: &'static str,
    etag: &'static str,
    bytes: &'static [u8],
    /// The same, compressed, if that is worth it.
    gzip: Option<&'static [u8]>,
    /// The same by brotli, which makes it smaller still.
    brotli: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

const INDEX: &str = "/index.html";

/// How the index says what its addresses are relative to.
const BASE: &str = "<base href=\"/\"";

/// Answers `Route::Robots`.
pub fn robots() -> Response {
    let text = "User-agent: *\nDisallow: /d/\nDisallow: /api/\n";
    let body = Body::Static(text.as_bytes());
    Response::content(Status::OK, "text/plain; charset=utf-8", body)
        .with("Cache-Control", "public, max-age=86400")
}

/// Whether the page has a file at this path.
pub(crate) fn has(path: &str) -> bool {
    find(path).is_some()
}

/// Answers `Route::Page` and `Route::Asset`.
///
/// `connect_sources` are further sources that the page's scripts may connect
/// to, such as the WebTransport address; `'self'` is always among them. `prefix` is the path
/// below which people see the server: `""`, or `/team/desk`.
pub fn respond(head: &RequestHead, connect_sources: &str, prefix: &str) -> Response {
    // A path that is no file of its own is the page's to interpret; on one
    // that cannot be a desk it tells so, and the status does, too.
    let own = find(head.path());
    let desk = head.path().strip_prefix("/d/").map(LinkId::leading);
    let known = own.is_some() || head.path() == "/" || matches!(desk, Some(Ok(_)));
    let status = if known { Status::OK } else { Status::NOT_FOUND };
    let file = own.or_else(|| find(INDEX)).expect("the build embeds an index");
    let moved = (file.path == INDEX && !prefix.is_empty()).then(|| moved_index(file, prefix));
    let etag = match &moved {
        // The same content in another place is another content.
        Some(_) => format!("{}{prefix}\"", file.etag.trim_end_matches('"')),
        None => file.etag.to_owned(),
    };
    let validators = |response: Response| {
        let response = match own {
            None if head.path() != "/" => response.with(NO_INDEX.0, NO_INDEX.1),
            _ => response,
        };
        secure(response, connect_sources)
            .with("ETag", etag.clone())
            .with("Cache-Control", cache_control(file.path))
            .with("Vary", "Accept-Encoding")
    };
    if known && head.elements("if-none-match").any(|tag| tag == "*" || is_tag(tag, &etag)) {
        return validators(Response::new(Status::NOT_MODIFIED));
    }
    if let Some(index) = moved {
        let body = Body::Owned(index);
        return validators(Response::content(status, content_type(file.path), body));
    }
    let packed =
        [("br", file.brotli), ("gzip", file.gzip)].into_iter().find_map(|(coding, bytes)| {
            bytes.filter(|_| accepts(head, coding)).map(|bytes| (coding, bytes))
        });
    let body = Body::Static(packed.map_or(file.bytes, |(_, bytes)| bytes));
    let response = validators(Response::content(status, content_type(file.path), body));
    match packed {
        Some((coding, _)) => response.with("Content-Encoding", coding),
        None => response,
    }
}

/// The index of a page that people see below a path.
fn moved_index(index: &File, prefix: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(index.bytes);
    text.replacen(BASE, &format!("<base href=\"{prefix}/\""), 1).into_bytes()
}

/// Adds the fields that every page and file carries.
fn secure(response: Response, connect_sources: &str) -> Response {
    let space = if connect_sources.is_empty() { "" } else { " " };
    response
        .with(
            "Content-Security-Policy",
            format!(
                "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
                 connect-src 'self'{space}{connect_sources}; img-src 'self' data: blob:; \
                 object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
            ),
        )
        .with("Referrer-Policy", "no-referrer")
        .with("X-Content-Type-Options", "nosniff")
        .with("Cross-Origin-Opener-Policy", "same-origin")
        .with("Cross-Origin-Resource-Policy", "same-origin")
}

fn find(path: &str) -> Option<&'static File> {
    FILES.binary_search_by(|file| file.path.cmp(path)).ok().map(|index| &FILES[index])
}

/// Whether an element of `If-None-Match` is `etag` by weak comparison (RFC
/// 9110, section 8.8.3.2).
fn is_tag(element: &str, etag: &str) -> bool {
    element.trim_start_matches("W/") == etag.trim_start_matches("W/")
}

/// Whether a content coding is taken: by its name, or else by `*`.
fn accepts(head: &RequestHead, coding: &str) -> bool {
    let weight = |name: &str| {
        head.elements("accept-encoding").find_map(|element| {
            let mut parts = element.split(';').map(str::trim);
            (parts.next() == Some(name)).then(|| {
                // "q=0", "q=0.0" and so on refuse; every other weight accepts.
                !parts.any(|part| {
                    part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0_f32))
                })
            })
        })
    };
    weight(coding).or_else(|| weight("*")).unwrap_or(false)
}

/// The build puts a hash of the content into the names below `/assets/`, so
/// what they name never changes; everything else is asked for again.
fn cache_control(path: &str) -> &'static str {
    if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_and_the_index_is_there() {
        assert!(FILES.is_sorted_by_key(|file| file.path));
        assert!(has(INDEX));
    }
}
