//! URLs: where a redirect leads, whom a token may be shown, how a name is put into a path.

/// The parts of a URL that matter here. Nothing is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Scheme, host and port: `https://host:port`.
    pub origin: &'a str,
    /// From the first slash on, without query and fragment. May be empty.
    pub path: &'a str,
    /// With the question mark, where there is one.
    pub query: &'a str,
}

/// Takes an http(s) URL apart; `None` for anything else.
pub fn parts(url: &str) -> Option<Parts<'_>> {
    let scheme = url.find("://")?;
    if !is_http(&url[..scheme]) {
        return None;
    }
    let url = url.split('#').next().unwrap_or(url);
    let host = scheme + 3;
    let host_end = url[host..]
        .find(['/', '?'])
        .map_or(url.len(), |end| host + end);
    let query = url.find('?').unwrap_or(url.len());
    (host_end > host).then(|| Parts {
        origin: &url[..host_end],
        path: &url[host_end..query],
        query: &url[query..],
    })
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Whether two URLs have the same scheme, host and port.
pub fn same_origin(one: &str, other: &str) -> bool {
    match (parts(one), parts(other)) {
        (Some(one), Some(other)) => normal_origin(one.origin) == normal_origin(other.origin),
        _ => false,
    }
}

fn normal_origin(origin: &str) -> String {
    let origin = origin.to_ascii_lowercase();
    let port = if origin.starts_with("https") {
        ":443"
    } else {
        ":80"
    };
    origin
        .strip_suffix(port)
        .map_or(origin.clone(), str::to_string)
}

/// Where the `Location` of a reply from `base` leads; `None` if it is not to be followed: to another
/// protocol, or from https to http.
pub fn redirected(base: &str, location: &str) -> Option<String> {
    let from = parts(base)?;
    let scheme = &from.origin[..from.origin.find(':')?];
    let target = if location.contains("://") {
        location.to_string()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{}{location}", from.origin)
    } else if location.starts_with('?') {
        format!("{}{}{location}", from.origin, from.path)
    } else {
        let folder = from.path.rfind('/').map_or("/", |end| &from.path[..=end]);
        format!("{}{folder}{location}", from.origin)
    };
    let to = parts(&target)?;
    let downgrade =
        scheme.eq_ignore_ascii_case("https") && !to.origin[..5].eq_ignore_ascii_case("https");
    (!downgrade).then_some(target)
}

/// A file's URL in a folder's; a query stays at the end.
pub fn in_folder(folder: &str, file: &str) -> String {
    match parts(folder) {
        Some(Parts {
            origin,
            path,
            query,
        }) => {
            format!(
                "{origin}{}/{}{query}",
                path.trim_end_matches('/'),
                encoded_path(file)
            )
        }
        None => format!("{folder}/{file}"),
    }
}

/// The URL of a folder without its last segment, and that, if `is_wanted`.
pub fn split_last(url: &str, is_wanted: impl Fn(&str) -> bool) -> (String, Option<String>) {
    let split = parts(url).and_then(|parts| {
        let (parent, last) = parts.path.trim_end_matches('/').rsplit_once('/')?;
        let url = format!("{}{parent}{}", parts.origin, parts.query);
        is_wanted(last).then(|| (url, Some(last.to_string())))
    });
    split.unwrap_or_else(|| (url.to_string(), None))
}

/// A file's name with the folders that it is in.
pub fn encoded_path(file: &str) -> String {
    let segments: Vec<String> = file.split('/').map(encoded).collect();
    segments.join("/")
}

/// The URL of a file beside another one.
pub fn beside(url: &str, file: &str) -> String {
    let path = parts(url).map_or("", |parts| parts.path);
    let folder = path.rfind('/').map_or("", |end| &path[..end]);
    match parts(url) {
        Some(Parts { origin, query, .. }) => in_folder(&format!("{origin}{folder}{query}"), file),
        None => in_folder(url, file),
    }
}

/// A name as one segment of a path.
pub fn encoded(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A URL for messages: without its query, in which a key may be.
pub fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// Whether a name from outside can be a file's name: no folder, nothing hidden.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let whole = parts("https://host:8/a/b?c=/d#e").unwrap();
        assert_eq!(
            (whole.origin, whole.path, whole.query),
            ("https://host:8", "/a/b", "?c=/d")
        );
        let bare = parts("http://host").unwrap();
        assert_eq!(
            (bare.origin, bare.path, bare.query),
            ("http://host", "", "")
        );
        for other in [
            "",
            "host/a",
            "ftp://host/a",
            "file:///a",
            "https://",
            "http:///a",
            "a://b",
        ] {
            assert_eq!(parts(other), None, "{other}");
        }
    }

    #[test]
    fn origins_are_compared_as_browsers_do() {
        assert!(same_origin("https://Hub.co/a", "HTTPS://hub.co:443/b?c"));
        assert!(same_origin("http://127.0.0.1:80", "http://127.0.0.1/x"));
        for other in [
            "http://hub.co/a",
            "https://hub.co:444/a",
            "https://cdn.hub.co/a",
            "https://hub.co.evil.org/a",
            "https://hub.co@evil.org/a",
        ] {
            assert!(!same_origin("https://hub.co/a", other), "{other}");
        }
    }

    #[test]
    fn redirects_are_resolved() {
        let base = "https://hub.co/a/b?c";
        for (location, target) in [
            ("https://cdn.co/x?y", Some("https://cdn.co/x?y")),
            ("//cdn.co/x", Some("https://cdn.co/x")),
            ("/x", Some("https://hub.co/x")),
            ("x", Some("https://hub.co/a/x")),
            ("?x", Some("https://hub.co/a/b?x")),
            ("http://hub.co/a", None),
            ("ftp://hub.co/a", None),
        ] {
            assert_eq!(redirected(base, location).as_deref(), target, "{location}");
        }
        assert_eq!(redirected("http://a", "x").as_deref(), Some("http://a/x"));
    }

    #[test]
    fn files_are_put_into_folders() {
        assert_eq!(in_folder("https://a/b/", "c.json"), "https://a/b/c.json");
        assert_eq!(in_folder("https://a", "c.json"), "https://a/c.json");
        assert_eq!(
            in_folder("https://a/b?key=1", "c d"),
            "https://a/b/c%20d?key=1"
        );
        assert_eq!(beside("https://a/b/c.gguf?d", "e"), "https://a/b/e?d");
        assert_eq!(beside("https://a/c.gguf", "e"), "https://a/e");
        assert_eq!(in_folder("https://a", "b c/d"), "https://a/b%20c/d");
        let split = |url| split_last(url, |last| last == "part");
        let found = ("https://a/b?c".to_string(), Some("part".to_string()));
        assert_eq!(split("https://a/b/part/?c"), found);
        assert_eq!(split("https://a/b"), ("https://a/b".to_string(), None));
        assert_eq!(encoded("refs/pr/1"), "refs%2Fpr%2F1");
        assert_eq!(shown("https://a/b?signature=secret"), "https://a/b");
    }

    #[test]
    fn names_that_lead_elsewhere_are_not_plain() {
        assert!(is_plain_name("model-00001-of-00002.safetensors"));
        for name in [
            "",
            ".",
            "..",
            ".ssh",
            "a/b",
            "a\\b",
            "a b",
            "ä",
            &"a".repeat(129),
        ] {
            assert!(!is_plain_name(name), "{name}");
        }
    }
}
