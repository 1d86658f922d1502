//! Addresses of pictures as pages write them, to files of the site. What comes out lies in the site's folder: `..` and
//! links that lead out of it are refused.

use super::Site;
use percent_encoding::percent_decode_str;
use std::path::{Path, PathBuf};

/// Folders of a source whose files a generator copies to the top: Hugo's, SvelteKit's and Docusaurus's `static`;
/// Astro's, Vite's and Next.js's `public`.
const COPIED_TO_THE_TOP: [&str; 3] = ["", "static", "public"];

/// How template languages begin what they fill in: Liquid, Nunjucks, Go, ERB, EJS, JSX.
const TEMPLATE_MARKS: [&str; 2] = ["{", "<%"];

/// The file of a picture, relative to the site's folder, or why there is none. `page` is the page's path in the site,
/// `document_base` what its `<base>` says.
pub fn resolve(
    site: &Site,
    page: &Path,
    document_base: Option<&str>,
    address: &str,
) -> Result<PathBuf, String> {
    let address: String = address.trim().replace(['\t', '\n', '\r'], "");
    let address = filled_in(&address).unwrap_or(address);
    if address.is_empty() {
        return Err("it has no address".to_string());
    }
    let may_be_template = !address.starts_with("data:"); // which may hold a drawing's braces
    if may_be_template && TEMPLATE_MARKS.iter().any(|mark| address.contains(mark)) {
        return Err("a template writes its address".to_string());
    }
    let of_page = Place::beside(page);
    let base = match document_base {
        Some(base) => of_page.join(base, site)?,
        None => of_page,
    };
    file_at(&base.join(&address, site)?, site)
}

/// What Jekyll and Eleventy put in the place of the templates that addresses begin with in their sources: the address of
/// the site, or that of a file in it. None if it is neither.
fn filled_in(address: &str) -> Option<String> {
    let mut rest = address;
    while let Some((template, after)) = rest
        .strip_prefix("{{")
        .and_then(|rest| rest.split_once("}}"))
    {
        if template.contains("baseurl") || template.contains("site.url") {
            rest = after;
            continue;
        }
        let (quote, filters) = template
            .split_once(['"', '\''])?
            .1
            .split_once(['"', '\''])?;
        let filters = filters.trim_matches(['|', ' ', '_', '-']); // a space is put as "_" in Markdown
        let is_address = ["url", "relative_url", "absolute_url"].contains(&filters);
        return is_address.then(|| format!("{quote}{after}"));
    }
    Some(rest.to_string())
}

/// A place in the site, as segments from its top: folders, and a last one that is empty where it ends in "/".
#[derive(Clone)]
struct Place {
    segments: Vec<String>,
    /// Written from the top, as in "/images/x.png".
    is_from_top: bool,
}

impl Place {
    fn beside(page: &Path) -> Self {
        let segments = page.iter().map(|part| part.to_string_lossy().into_owned());
        Self {
            segments: segments.collect(),
            is_from_top: false,
        }
    }

    /// What an address means on a page here.
    fn join(&self, address: &str, site: &Site) -> Result<Self, String> {
        let path = inside(address, site)?;
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = path.replace('\\', "/"); // as browsers do
        let is_from_top = path.starts_with('/');
        let mut segments = match is_from_top {
            true => Vec::new(),
            false => self.segments[..self.segments.len().saturating_sub(1)].to_vec(),
        };
        let path = match is_from_top {
            true => from_top(&path, site)?,
            false => &path,
        };
        for written in path.split('/') {
            let segment = percent_decode_str(written).decode_utf8_lossy();
            match segment.as_ref() {
                "." => {}
                ".." => {
                    segments.pop().ok_or("it leads out of the site")?;
                }
                name if name.contains(['/', '\0']) => {
                    return Err("its address is not one of a file".to_string());
                }
                "" => {}
                name => segments.push(name.to_string()),
            }
        }
        if path.ends_with('/') || path.is_empty() {
            segments.push(String::new());
        }
        Ok(Self {
            segments,
            is_from_top: is_from_top || self.is_from_top,
        })
    }
}

/// The path of an address, if it is one of the site's.
fn inside<'a>(address: &'a str, site: &Site) -> Result<&'a str, String> {
    let elsewhere = || Err("it is on another site".to_string());
    if let Some(rest) = after_host(address) {
        let Some((host, path)) = rest else {
            return elsewhere();
        };
        return match &site.base {
            Some(base) if base.host.eq_ignore_ascii_case(host) => Ok(path),
            _ => elsewhere(),
        };
    }
    let scheme = address.split(['/', '?', '#']).next().unwrap_or_default();
    match scheme.split_once(':') {
        Some(("data", _)) => Err("it is part of the page itself".to_string()),
        Some(_) => elsewhere(),
        None => Ok(address),
    }
}

/// The host and the path of an address that names a host; Some(None) where there is no path.
fn after_host(address: &str) -> Option<Option<(&str, &str)>> {
    let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
    let schemes = ["https://", "http://", "//"];
    let scheme = schemes.iter().find(|scheme| lower.starts_with(**scheme))?;
    let rest = &address[scheme.len()..];
    Some(rest.find('/').map(|slash| rest.split_at(slash)))
}

/// A path from the top without the path that the site lies under.
fn from_top<'a>(path: &'a str, site: &Site) -> Result<&'a str, String> {
    let Some(base) = &site.base else {
        return Ok(path);
    };
    let rest = path.strip_prefix(base.path.trim_end_matches('/'));
    rest.filter(|rest| rest.starts_with('/'))
        .ok_or_else(|| format!("it is not under {}", base.path))
}

/// The file at a place, relative to the site's folder, by way of no link that leads out of it.
fn file_at(place: &Place, site: &Site) -> Result<PathBuf, String> {
    let relative: PathBuf = place.segments.iter().collect();
    let tops = match place.is_from_top {
        true => &COPIED_TO_THE_TOP[..],
        false => &COPIED_TO_THE_TOP[..1],
    };
    let found = tops
        .iter()
        .find_map(|top| site.root.join(top).join(&relative).canonicalize().ok());
    let found = found.ok_or("there is no such file")?;
    let inside = found.strip_prefix(&site.root);
    let inside = inside.map_err(|_| "it is a link that leads out of the site")?;
    match found.is_file() {
        true => Ok(inside.to_owned()),
        false => Err("there is no such file".to_string()),
    }
}

/// Where a site will be: its host, if said, and the path that it lies under.
#[derive(Debug, PartialEq, Eq)]
pub struct Base {
    host: String,
    path: String,
}

impl Base {
    /// Of `https://example.org/blog/`, `/blog/` or `/`.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (host, path) = match after_host(url) {
            Some(Some(parts)) => parts,
            Some(None) => (&url[url.find("//").unwrap_or(0) + 2..], "/"),
            None => ("", url),
        };
        match path.starts_with('/') {
            true => Ok(Self {
                host: host.to_string(),
                path: path.to_string(),
            }),
            false => Err(format!(
                "--site-url is '{url}', expected an address as in https://example.org/blog/, or a path as in /blog/"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A site of its own, which goes away with the test.
    struct Made(Site);

    impl Made {
        fn new(name: &str, base: Option<&str>, files: &[&str]) -> Self {
            let root = std::env::temp_dir().join(format!("obscura-{name}-{}", std::process::id()));
            for file in files {
                let path = root.join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
            let base = base.map(|base| Base::parse(base).unwrap());
            let root = root.canonicalize().unwrap();
            Self(Site { root, base })
        }

        fn check(&self, page: &str, address: &str, expected: Result<&str, &str>) {
            let found = resolve(&self.0, Path::new(page), None, address);
            let found = found.as_ref().map(|path| path.to_str().unwrap());
            assert_eq!(
                found.map_err(String::as_str),
                expected,
                "{address} on {page}"
            );
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0.root);
        }
    }

    #[test]
    fn addresses_lead_to_files_as_in_a_browser() {
        let files = [
            "images/a b.png",
            "blog/x.png",
            "static/s.png",
            "public/p.png",
            "images/100%.png",
        ];
        let site = Made::new("addresses", None, &files);
        site.check("index.html", "images/a%20b.png", Ok("images/a b.png"));
        site.check("index.html", "images/a b.png?v=3#top", Ok("images/a b.png"));
        site.check("blog/index.html", "x.png", Ok("blog/x.png"));
        site.check("blog/index.html", "./x.png", Ok("blog/x.png"));
        site.check(
            "blog/2024/post.html",
            "../../images/a%20b.png",
            Ok("images/a b.png"),
        );
        site.check(
            "blog/index.html",
            "..\\images\\a b.png",
            Ok("images/a b.png"),
        );
        site.check("blog/index.html", "/blog/x.png", Ok("blog/x.png"));
        site.check("index.html", "/images/100%25.png", Ok("images/100%.png"));
        site.check("content/post.md", "/s.png", Ok("static/s.png"));
        site.check("src/pages/index.md", "/p.png", Ok("public/p.png"));
        site.check("index.html", "\n blog/x.\npng ", Ok("blog/x.png"));
    }

    #[test]
    fn what_is_not_a_file_of_the_site_is_refused_with_its_reason() {
        let site = Made::new("refusals", None, &["blog/x.png"]);
        let no_file = Err("there is no such file");
        site.check("index.html", "y.png", no_file);
        site.check("index.html", "blog/", no_file);
        site.check("index.html", "s.png", no_file);
        for out in [
            "../x.png",
            "/../x.png",
            "blog/../../x.png",
            "%2e%2e/x.png",
            "..%5cx.png/../..",
        ] {
            let found = resolve(&site.0, Path::new("index.html"), None, out);
            assert!(found.is_err(), "{out}");
        }
        site.check(
            "index.html",
            "a%2fb.png",
            Err("its address is not one of a file"),
        );
        for elsewhere in [
            "https://example.org/x.png",
            "//example.org/x.png",
            "blob:x",
            "file:///etc/passwd",
        ] {
            site.check("index.html", elsewhere, Err("it is on another site"));
        }
        site.check(
            "index.html",
            "data:image/png;base64,AAAA",
            Err("it is part of the page itself"),
        );
        for template in ["{{ page.url }}/x.png", "<%= image %>", "${x}.png"] {
            site.check("index.html", template, Err("a template writes its address"));
        }
        site.check("index.html", "  ", Err("it has no address"));
    }

    #[test]
    fn a_base_makes_whole_addresses_and_paths_the_sites_own() {
        let site = Made::new("base", Some("https://example.org/blog/"), &["x.png"]);
        site.check("index.html", "https://Example.org/blog/x.png", Ok("x.png"));
        site.check("a/index.html", "/blog/x.png", Ok("x.png"));
        site.check("a/index.html", "../x.png", Ok("x.png"));
        site.check("index.html", "/x.png", Err("it is not under /blog/"));
        site.check(
            "index.html",
            "/blogger/x.png",
            Err("it is not under /blog/"),
        );
        site.check(
            "index.html",
            "https://example.net/blog/x.png",
            Err("it is on another site"),
        );
        assert!(Base::parse("example.org").is_err());
        assert_eq!(Base::parse("https://example.org").unwrap().path, "/");
    }

    #[test]
    fn what_jekyll_and_eleventy_fill_in_is_known() {
        let site = Made::new("templates", None, &["images/x.png"]);
        for address in [
            "{{ site.baseurl }}/images/x.png",
            "{{site.url}}{{site.baseurl}}/images/x.png",
            "{{_site.baseurl_}}/images/x.png",
            "{{ '/images/x.png' | relative_url }}",
            "{{_\"/images/x.png\"_|_absolute_url_}}",
            "{{ '/images/' | url }}x.png?v=1",
        ] {
            site.check("_posts/2024-01-01-x.md", address, Ok("images/x.png"));
        }
        for address in [
            "{{ '/images/x.png' | upcase }}",
            "{{ page.image }}",
            "{{ site.baseurl }}{{ page.image }}",
        ] {
            site.check("a.html", address, Err("a template writes its address"));
        }
    }

    #[test]
    fn a_documents_base_counts() {
        let site = Made::new("document-base", None, &["images/x.png"]);
        let at = |base| resolve(&site.0, Path::new("deep/er/page.html"), Some(base), "x.png");
        assert_eq!(at("/images/").unwrap(), Path::new("images/x.png"));
        assert_eq!(
            at("../../images/other.html").unwrap(),
            Path::new("images/x.png")
        );
        assert_eq!(
            at("https://example.org/"),
            Err("it is on another site".to_string())
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_of_the_site_is_refused() {
        let site = Made::new("links", None, &["inside/x.png"]);
        let outside = Made::new("outside", None, &["secret.png"]);
        std::os::unix::fs::symlink(&outside.0.root, site.0.root.join("out")).unwrap();
        std::os::unix::fs::symlink("inside/x.png", site.0.root.join("y.png")).unwrap();
        site.check(
            "index.html",
            "out/secret.png",
            Err("it is a link that leads out of the site"),
        );
        site.check("index.html", "y.png", Ok("inside/x.png"));
    }
}
