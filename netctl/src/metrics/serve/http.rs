//! As much of HTTP/1.1 as a scraper speaks: one GET without a body for each connection (RFC 9112). Pure.

use crate::metrics::text::Encoding;

/// Bytes of a request's line and header fields, at most.
pub(super) const LONGEST: usize = 8 * 1024;

/// What the bytes so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// More has to come.
    Unfinished,
    Metrics(Encoding),
    Refused(Refusal),
}

/// Answers that are no metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    NotFound,
    MethodNotAllowed,
    Timeout,
    TooLong,
    VersionNotSupported,
}

impl Refusal {
    const fn status(self) -> &'static str {
        match self {
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::Timeout => "408 Request Timeout",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::NotFound => "the metrics are at /metrics\n",
            Self::MethodNotAllowed => "only GET\n",
            Self::TooLong => "at most 8192 bytes of header fields\n",
            _ => "",
        }
    }
}

/// Looks at what has come so far.
pub(super) fn read(bytes: &[u8]) -> Request {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        let is_long = bytes.len() >= LONGEST;
        return if is_long { Request::Refused(Refusal::TooLong) } else { Request::Unfinished };
    };
    match bytes.get(..end).and_then(|head| std::str::from_utf8(head).ok()) {
        _ if end + 4 > LONGEST => Request::Refused(Refusal::TooLong),
        None => Request::Refused(Refusal::BadRequest),
        Some(head) => head_of(head).map_or_else(Request::Refused, Request::Metrics),
    }
}

fn head_of(head: &str) -> Result<Encoding, Refusal> {
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else { return Err(Refusal::BadRequest) };
    if !version.starts_with("HTTP/") || head.contains('\0') {
        return Err(Refusal::BadRequest);
    }
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Err(Refusal::VersionNotSupported);
    }
    let mut accepted = Vec::new();
    for line in lines {
        // A name has no space around it, and no line goes on (RFC 9112, sections 5.1 and 5.2).
        let (name, value) = line.split_once(':').ok_or(Refusal::BadRequest)?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(Refusal::BadRequest);
        }
        if name.eq_ignore_ascii_case("accept") {
            accepted.push(value);
        }
    }
    if method != "GET" {
        return Err(Refusal::MethodNotAllowed);
    }
    if target.split('?').next() != Some("/metrics") {
        return Err(Refusal::NotFound);
    }
    Ok(negotiated(&accepted.join(",")))
}

/// OpenMetrics for who names it, the older text for everyone else.
fn negotiated(accept: &str) -> Encoding {
    let takes = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|it| it.eq_ignore_ascii_case("application/openmetrics-text"));
        // A weight of zero means "not this one" (RFC 9110, section 12.4.2).
        let is_refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").and_then(|weight| weight.parse::<f64>().ok());
            weight.is_some_and(|weight| weight <= 0.0)
        });
        is_named && !is_refused
    };
    if accept.split(',').any(takes) { Encoding::OpenMetrics } else { Encoding::Prometheus }
}

/// The head of an answer with the metrics.
pub(super) fn head_of_metrics(encoding: Encoding, length: usize) -> Vec<u8> {
    head("200 OK", encoding.content_type(), length, "")
}

/// An answer with words: the metrics could not be read.
pub(super) fn unavailable(words: &[u8]) -> Vec<u8> {
    let mut answer = head("503 Service Unavailable", "text/plain; charset=utf-8", words.len(), "");
    answer.extend_from_slice(words);
    answer
}

pub(super) fn refusal(refusal: Refusal) -> Vec<u8> {
    let more = if refusal == Refusal::MethodNotAllowed { "Allow: GET\r\n" } else { "" };
    let words = refusal.words();
    let mut answer = head(refusal.status(), "text/plain; charset=utf-8", words.len(), more);
    answer.extend_from_slice(words.as_bytes());
    answer
}

fn head(status: &str, content_type: &str, length: usize, more: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{more}\
         X-Content-Type-Options: nosniff\r\nVary: Accept\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Request {
        read(text.as_bytes())
    }

    #[test]
    fn what_prometheus_sends_is_answered_in_open_metrics() {
        let accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let text = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n");
        assert_eq!(asked(&text), Request::Metrics(Encoding::OpenMetrics));
        // Whatever of it has come so far.
        for end in 0..text.len() {
            assert_eq!(asked(&text[..end]), Request::Unfinished, "{end}");
        }
    }

    #[test]
    fn others_get_the_older_text() {
        for accept in ["", "Accept: */*\r\n", "Accept: application/openmetrics-text;q=0, text/plain\r\n"] {
            let text = format!("GET /metrics?x=1 HTTP/1.0\r\n{accept}\r\n");
            assert_eq!(asked(&text), Request::Metrics(Encoding::Prometheus), "{accept}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_its_own_status() {
        for (text, refusal) in [
            ("POST /metrics HTTP/1.1\r\n\r\n", Refusal::MethodNotAllowed),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", Refusal::MethodNotAllowed),
            ("GET / HTTP/1.1\r\n\r\n", Refusal::NotFound),
            ("GET /metrics/../etc/shadow HTTP/1.1\r\n\r\n", Refusal::NotFound),
            ("GET /metrics HTTP/2.0\r\n\r\n", Refusal::VersionNotSupported),
            ("GET  /metrics HTTP/1.1\r\n\r\n", Refusal::BadRequest),
            ("GET /metrics\r\n\r\n", Refusal::BadRequest),
            ("\r\n\r\n", Refusal::BadRequest),
            ("GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", Refusal::BadRequest),
            ("GET /metrics HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", Refusal::BadRequest),
            ("GET /metrics HTTP/1.1\r\nA : b\r\n\r\n", Refusal::BadRequest),
        ] {
            assert_eq!(asked(text), Request::Refused(refusal), "{text:?}");
        }
        assert_eq!(read(b"GET /metrics HTTP/1.1\r\nA: \xff\r\n\r\n"), Request::Refused(Refusal::BadRequest));
        assert_eq!(read(&[b'a'; LONGEST]), Request::Refused(Refusal::TooLong));
        assert_eq!(read(&[b'a'; LONGEST - 1]), Request::Unfinished);
    }
}
