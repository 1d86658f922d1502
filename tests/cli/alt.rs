//! `obscura alt`: what it finds on pages, what it says, and that of a page it changes nothing but what it adds.

use super::{Run, Scratch, obscura, under_tests};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const DOGS: &str = "three dogs";
const HOUSE: &str = "a bicycle on the right and a house on the left";

fn root(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// A site with two pictures in `images`, and these pages.
fn site(name: &str, pages: &[(&str, &[u8])]) -> Scratch {
    let site = Scratch::new(&format!("alt-{name}"));
    for (sample, to) in [("three-dogs", "dogs"), ("house-bicycle", "a house")] {
        let to = site.path(&format!("images/{to}.webp"));
        fs::create_dir_all(Path::new(&to).parent().unwrap()).unwrap();
        fs::copy(root(&format!("www/samples/{sample}.webp")), to).unwrap();
    }
    for (path, bytes) in pages {
        let path = site.path(path);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    site
}

fn alt(site: &Scratch, options: &[&str]) -> Run {
    let model = root("www/models/pictograms.gguf");
    let folder = site.path("");
    obscura([&["alt", &model, &folder][..], options, &["--device", "cpu"]].concat())
}

/// The page after `--write`.
fn written(site: &Scratch, page: &str) -> String {
    let bytes = fs::read(site.path(page)).unwrap();
    String::from_utf8(bytes).expect("UTF-8")
}

/// What `--json` reports, one object a picture.
fn reported(run: &Run) -> Vec<Value> {
    let lines = run.stdout.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON on each line")
}

#[test]
fn a_site_in_which_nothing_is_missing_passes_without_a_word() {
    let page = br#"<img src="images/dogs.webp" alt="Dogs"><img src="images/dogs.webp" alt="">
        <img src="images/dogs.webp" alt><img src="x.png" role="presentation"><img src="x.png" aria-label="Dogs">
        <div aria-hidden="true"><div><img src="x.png"></div><img src="x.png"></div><img aria-hidden=true src="x.png">
        <!-- <img src="x.png"> --><script>"<img src=x.png>"</script><textarea><img src="x.png"></textarea>
        <img src="x.png" {% if text %}alt="{{ text }}"{% endif %}>"#;
    let markdown = b"![Dogs](images/dogs.webp)\n\n`![](x.png)`\n\n    ![](x.png)\n\n```\n![](x.png)\n```\n\\![](x.png)\n";
    let site = site("nothing", &[("index.html", page), ("post.md", markdown)]);
    let run = alt(&site, &[]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
}

#[test]
fn what_is_missing_is_listed_by_page_and_line_and_fails() {
    let page =
        b"<html>\r\n<img src=\"images/dogs.webp\">\n\n<p><IMG SRC=/images/a%20house.webp?v=2>\n";
    let site = site(
        "missing",
        &[
            ("index.html", page),
            ("a/post.md", b"# Post\n\n![](../images/dogs.webp)\n"),
        ],
    );
    let run = alt(&site, &[]);
    run.fails(
        1,
        &["error: 3 of 3 pictures on 2 pages without alternative text"],
    );
    let folder = site.path("");
    let lines: Vec<String> = [
        "a/post.md:3: ../images/dogs.webp",
        "index.html:2: images/dogs.webp",
        "index.html:4: /images/a%20house.webp?v=2",
    ]
    .map(|line| format!("{folder}{line} has no alternative text"))
    .into();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), lines);
    let objects = reported(&alt(&site, &["--json"]));
    assert_eq!(
        objects[2],
        json!({
            "page": format!("{folder}index.html"), "line": 4, "address": "/images/a%20house.webp?v=2",
            "picture": "images/a house.webp", "link": null, "button": false, "text": null, "problem": null,
            "written": false,
        })
    );
}

#[test]
fn writing_adds_the_text_and_leaves_every_other_byte() {
    let head = b"<!DOCTYPE html>\r\n<html lang=en>\n<p class='x' >caf\xe9 <b>unclosed\r".to_vec(); // Latin-1
    let tags: [(&[u8], &str); 6] = [
        (b"<img src=images/dogs.webp>", DOGS),
        (
            b"<IMG\r\n   SRC = 'images/dogs.webp'\tclass=\"\xe9\"/>",
            DOGS,
        ),
        (b"<img src=\"images/a%20house.webp\" / >", HOUSE),
        (
            b"<img data-src=images/dogs.webp src='data:image/gif;base64,R0lGOD'>",
            DOGS,
        ),
        (
            b"<img srcset=\"images/dogs.webp 1x, images/big.webp 2x\">",
            DOGS,
        ),
        (b"<img src=images/dogs.webp src=again.webp", DOGS), // the end of the file
    ];
    let mut page = head.clone();
    let mut expected = head;
    for (tag, text) in &tags[..5] {
        page.extend_from_slice(tag);
        expected.extend_from_slice(&tag[..4]);
        expected.extend(format!(" alt=\"{text}\"").bytes());
        expected.extend_from_slice(&tag[4..]);
    }
    for bytes in [&mut page, &mut expected] {
        bytes.extend_from_slice(tags[5].0); // no tag without an end
    }
    let site = site("bytes", &[("index.html", &page)]);
    let run = alt(&site, &["--write"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.ends_with("5 texts written\n"), "{}", run.stdout);
    assert_eq!(fs::read(site.path("index.html")).unwrap(), expected);
    assert_eq!(alt(&site, &[]).code, 0, "nothing is missing afterwards");
    assert_eq!(site.names(), ["images", "index.html"]);
}

#[test]
fn a_page_in_another_language_says_that_the_text_is_english() {
    let page = b"<html lang=\"de-AT\"><img src=\"images/dogs.webp\">";
    let site = site("lang", &[("index.html", page)]);
    alt(&site, &["--write"]).lines();
    let expected =
        format!("<html lang=\"de-AT\"><img alt=\"{DOGS}\" lang=\"en\" src=\"images/dogs.webp\">");
    assert_eq!(written(&site, "index.html"), expected);
}

#[test]
fn in_markdown_the_text_goes_between_the_brackets() {
    let page = "---\ntitle: \"![](no.webp)\"\n---\r\n\r\nA ![](/images/dogs.webp \"Title\") and ![ ](<images/a house.webp>).\n\n\
        ![]({{ site.baseurl }}/images/dogs.webp)\n\n* ![][dogs]\n* `![](images/dogs.webp)`\n\n<figure>\n<img src=\"images/dogs.webp\">\n</figure>\n\n\
        [dogs]: images/dogs.webp\n";
    let site = site("markdown", &[("post.md", page.as_bytes())]);
    alt(&site, &["--write"]).lines();
    let expected = page
        .replace("![]({{", &format!("![{DOGS}]({{{{"))
        .replace("![](/images", &format!("![{DOGS}](/images"))
        .replace("![ ](", &format!("![{HOUSE} ]("))
        .replace("![][dogs]", &format!("![{DOGS}][dogs]"))
        .replace("<img src", &format!("<img alt=\"{DOGS}\" src"));
    assert_eq!(written(&site, "post.md"), expected);
}

#[test]
fn in_mdx_pictures_of_markdown_and_of_jsx_get_their_texts() {
    let page = "---\ntitle: \"![](no.webp)\"\n---\nimport house from './images/a house.webp';\nexport function area({ width }) {\n\n  return width * width;\n}\n\n\
        # Postkarte für {author}\r\n\r\n<!-- ![](images/no.webp) -->\n![](images/dogs.webp) and `![](images/no.webp)`\n\n\
        <Figure caption={`${1 > 0}`}>\n  ![ ](<images/a house.webp>)\n</Figure>\n\n\
        <img src={house} width={area(2)} onLoad={() => 1 > 0} />\n\n\
        <Image\n  src={require('./images/dogs.webp').default}\n/>\n\n\
        <img onLoad={() => 1 > 0} src=\"images/dogs.webp\" alt=\"Dogs\" />\n\n\
        <img {...props} src=\"images/dogs.webp\" />\n\n\
        <div aria-hidden>\n<img src=\"images/dogs.webp\" />\n</div>\n\n\
        <a href=\"images/dogs.webp\"><img src=\"images/dogs.webp\" /></a>\n\n\
        {/* ![](images/no.webp) */}\n\n    ![][dogs]\n\n[dogs]: images/dogs.webp\n";
    let open_bracket = b"export const smile = ':(';\n\n![](images/dogs.webp)\n";
    let pages: [(&str, &[u8]); 2] = [("post.mdx", page.as_bytes()), ("smile.mdx", open_bracket)];
    let site = site("mdx", &pages);
    alt(&site, &["--write"]).lines();
    let expected = page
        .replace("![](images/dogs", &format!("![{DOGS}](images/dogs"))
        .replace("![ ](", &format!("![{HOUSE} ]("))
        .replace(
            "<img src={house}",
            &format!("<img alt=\"{HOUSE}\" src={{house}}"),
        )
        .replace("<Image\n", &format!("<Image alt=\"{DOGS}\"\n"))
        .replace("\"><img src", &format!("\"><img alt=\"{DOGS}\" src"))
        .replace("![][dogs]", &format!("![{DOGS}][dogs]"));
    assert_eq!(written(&site, "post.mdx"), expected);
    assert!(written(&site, "smile.mdx").ends_with(&format!("![{DOGS}](images/dogs.webp)\n")));
    assert_eq!(alt(&site, &[]).code, 0, "nothing is missing afterwards");
}

#[test]
fn what_mdx_leaves_open_is_reported_and_mdx_that_is_none_fails() {
    let page =
        b"<Link to=\"/\"><img src=\"images/dogs.webp\" /></Link>\n\n<img src={`${name}.webp`} />\n";
    let site = site("mdx-open", &[("a.mdx", page), ("b.mdx", b"a\n\n<b>\n")]);
    let run = alt(&site, &["--write"]);
    run.fails(
        1,
        &[
            "b.mdx cannot be read: it is no MDX: 4:1: Expected a closing tag for `<b>`",
            "error: 2 of 2 pictures on 1 page without",
        ],
    );
    for told in [
        "a.mdx:1: images/dogs.webp has no alternative text and is all there is of the link to /",
        "a.mdx:3: {`${name}.webp`} has no alternative text; a template writes its address",
    ] {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
    assert_eq!(written(&site, "a.mdx").as_bytes(), page);
}

#[test]
fn drawings_get_texts_unless_something_in_them_would_not_be_seen() {
    let drawing = |inside: &str| {
        format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 10 10\">{inside}</svg>")
    };
    let drawings = [
        (
            "circle",
            drawing("<circle cx=\"5\" cy=\"5\" r=\"4\" fill=\"red\"/>"),
            None,
        ),
        (
            "white",
            drawing("<circle cx=\"5\" cy=\"5\" r=\"4\" fill=\"white\"/>"),
            None,
        ),
        (
            "words",
            drawing("<text y=\"5\">Sale</text>"),
            Some(
                "it is an SVG with words in it, which the model would not see: write a text by hand",
            ),
        ),
        (
            "photo",
            drawing("<image href=\"/etc/passwd\"/>"),
            Some(
                "it is an SVG with pictures in it, which the model would not see: write a text by hand",
            ),
        ),
        (
            "empty",
            drawing(""),
            Some("it is an SVG that shows nothing"),
        ),
        (
            "broken",
            "<svg".to_string(),
            Some("it cannot be read as an SVG: "),
        ),
    ];
    let page: String = drawings
        .iter()
        .map(|(name, ..)| format!("<img src={name}.svg>\n"))
        .collect();
    let site = site("svg", &[("index.html", page.as_bytes())]);
    for (name, text, _) in &drawings {
        fs::write(site.path(&format!("{name}.svg")), text).unwrap();
    }
    let run = alt(&site, &["--write"]);
    run.fails(1, &["error: 4 of 6 pictures"]);
    for (name, _, problem) in &drawings {
        let told = match problem {
            Some(problem) => format!("{name}.svg has no alternative text; {problem}"),
            None => format!("{name}.svg is now \""),
        };
        assert!(run.stdout.contains(&told), "{told}: {}", run.stdout);
    }
}

#[test]
fn what_a_link_consists_of_is_told_apart() {
    let page = b"<a href=\"/\"><img src=\"images/dogs.webp\"></a>
        <a href=\"/\"><img src=\"images/dogs.webp\"> Home</a>
        <a href=\"images/dogs.webp\"><img src=\"images/dogs.webp\"></a>
        <a name=top><img src=\"images/dogs.webp\"></a>
        <a href=\"/\" aria-label=\"Home\"><img src=\"images/dogs.webp\"></a>
        <a href=\"/\"><img src=\"images/dogs.webp\" alt=\"Home\"><img src=\"images/dogs.webp\"></a>
        <form><input type=\"IMAGE\" src=\"images/dogs.webp\"></form>";
    let markdown = b"[![](images/dogs.webp)](/about)\n\n[![](images/dogs.webp) About](/about)\n\n[![](images/dogs.webp)](images/dogs.webp)\n";
    let site = site("links", &[("index.html", page), ("post.md", markdown)]);
    let run = alt(&site, &["--write", "--json"]);
    run.fails(1, &["3 of 11 pictures"]);
    let roles = |value: &Value| {
        let role = (
            value["link"].as_str().map(str::to_string),
            value["button"] == true,
        );
        (
            value["line"].as_u64().unwrap(),
            role,
            value["written"] == true,
        )
    };
    let found: Vec<_> = reported(&run).iter().map(roles).collect();
    let link = |address: &str| (Some(address.to_string()), false);
    let picture = || (None, false);
    assert_eq!(
        found,
        [
            (1, link("/"), false),
            (2, picture(), true),
            (3, picture(), true),
            (4, picture(), true),
            (5, picture(), true),
            (6, picture(), true),
            (7, (None, true), false),
            (1, link("/about"), false),
            (3, picture(), true),
            (5, picture(), true),
        ]
    );
    let left = alt(&site, &["--suggest"]);
    left.fails(1, &["3 of 11 pictures"]);
    assert!(
        left.stdout.contains(
            "all there is of the link to /: say where that leads; suggested: \"three dogs\""
        ),
        "{}",
        left.stdout
    );
    assert!(
        left.stdout.contains("is a button: say what that does"),
        "{}",
        left.stdout
    );
    alt(&site, &["--write", "--links"]).lines();
    assert_eq!(alt(&site, &[]).code, 0);
}

#[test]
fn pages_are_parsed_as_browsers_parse_them() {
    let page = b"<svg><title/><style/><path/></svg><img src=images/dogs.webp>
        <svg><![CDATA[<img src=a.webp>]]></svg><noscript><img src=b.webp></noscript>
        <ul><li aria-hidden=true><img src=c.webp></ul><p><img src=images/dogs.webp>
        <a href=/ ><span aria-hidden=true>Home</span><img src=images/dogs.webp></a>
        <a href=/ ><svg><title>Home</title></svg><img src=images/dogs.webp></a>
        <img src=\"images/a&#32;house.webp?a=1&amp;b=2\"><img src=images/dogs.webp aria-hidden='TRUE'>";
    let site = site("parsed", &[("index.html", page)]);
    let run = alt(&site, &["--json"]);
    let found: Vec<_> = reported(&run)
        .into_iter()
        .map(|value| {
            (
                value["line"].as_u64().unwrap(),
                value["address"].clone(),
                value["link"].clone(),
            )
        })
        .collect();
    let dogs = json!("images/dogs.webp");
    let house = json!("images/a house.webp?a=1&b=2");
    assert_eq!(
        found,
        [
            (1, dogs.clone(), Value::Null),
            (3, dogs.clone(), Value::Null),
            (4, dogs.clone(), json!("/")),
            (5, dogs.clone(), Value::Null),
            (6, house, Value::Null),
            (6, dogs, Value::Null),
        ]
    );
}

#[test]
fn the_diff_is_what_writing_does() {
    let page = b"1\r\n2\r\n<img src=images/dogs.webp>\r\n<img src=images/dogs.webp>\r\n3\n4\n5\n6\n7\n8\n9\n<img src=images/dogs.webp>";
    let site = site(
        "diff",
        &[
            ("a/index.html", page),
            ("post.md", b"[![](images/dogs.webp)](/)\n"),
        ],
    );
    fs::rename(site.path("images"), site.path("a/images")).unwrap();
    let run = alt(&site, &["--diff"]);
    run.fails(1, &["4 of 4 pictures"]);
    let new = format!("<img alt=\"{DOGS}\" src=images/dogs.webp>");
    let old = "<img src=images/dogs.webp>";
    let expected = format!(
        "--- a/a/index.html\n+++ b/a/index.html\n@@ -1,7 +1,7 @@\n 1\r\n 2\r\n-{old}\r\n-{old}\r\n+{new}\r\n+{new}\r\n 3\n 4\n 5\n\
         @@ -9,4 +9,4 @@\n 7\n 8\n 9\n-{old}\n\\ No newline at end of file\n+{new}\n\\ No newline at end of file\n"
    );
    assert_eq!(run.stdout, expected);
    assert_eq!(
        fs::read(site.path("a/index.html")).unwrap(),
        page,
        "nothing is written"
    );
}

#[test]
fn pictures_that_cannot_be_read_are_named_and_the_others_are_done() {
    let page = b"<img src=images/broken.png><img src=images/none.png><img src=https://example.org/x.png><img>
        <img src=/images/dogs.webp><img src=../outside.png><img src=images/out.webp>";
    let site = site("unreadable", &[("index.html", page)]);
    fs::write(site.path("images/broken.png"), b"no picture").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(
        root("www/samples/three-dogs.webp"),
        site.path("images/out.webp"),
    )
    .unwrap();
    let run = alt(&site, &["--write"]);
    run.fails(
        1,
        &["error: 6 of 7 pictures on 1 page without alternative text"],
    );
    let problems = [
        "it cannot be read as a picture",
        "there is no such file",
        "it is on another site",
        "it has no address",
        "it leads out of the site",
        "it is a link that leads out of the site",
    ];
    for problem in problems {
        let told = format!(" has no alternative text; {problem}\n");
        assert!(run.stdout.contains(&told), "{problem}: {}", run.stdout);
    }
    assert!(
        run.stdout
            .contains(&format!("/images/dogs.webp is now \"{DOGS}\"\n")),
        "{}",
        run.stdout
    );
}

#[test]
fn an_address_makes_whole_addresses_the_sites_own() {
    let page =
        b"<img src=https://example.org/blog/images/dogs.webp><img src=/blog/images/dogs.webp>";
    let site = site("base", &[("index.html", page)]);
    alt(&site, &["--write"]).fails(1, &["2 of 2"]);
    alt(
        &site,
        &["--write", "--site-url", "https://example.org/blog/"],
    )
    .lines();
    alt(&site, &["--site-url", "example.org"]).fails(1, &["--site-url is 'example.org'"]);
}

#[test]
fn decisions_take_the_place_of_the_model() {
    let page = b"<img src=images/dogs.webp><img src=\"images/a house.webp\"><img src=https://example.org/x.png>
        <a href=/><img src=images/dogs.webp></a><img src=images/other.webp>";
    let site = site(
        "decisions",
        &[
            ("index.html", page),
            (
                "post.md",
                b"![](images/dogs.webp) ![](images/a%20house.webp)\n",
            ),
        ],
    );
    let decisions = json!({ "decisions": [
        { "picture": "images/dogs.webp", "decision": "apply", "text": " \"Rex\" &\n[friends] {1} é " },
        { "picture": "images/dogs.webp", "link": "/", "decision": "apply", "text": "Home" },
        { "picture": "images/a house.webp", "link": null, "button": false, "decision": "decorative" },
        { "picture": "https://example.org/x.png", "decision": "dismiss" },
    ] });
    let file = Scratch::new("alt-decisions-file");
    let file = file.path("decisions.json");
    fs::write(&file, decisions.to_string()).unwrap();
    alt(&site, &["--decisions", &file]).fails(1, &["5 of 7 pictures"]);
    let run = alt(&site, &["--decisions", &file, "--write"]);
    run.fails(1, &["error: 1 of 7 pictures"]);
    assert!(
        run.stdout
            .contains("images/other.webp has no alternative text; there is no such file"),
        "{}",
        run.stdout
    );
    let expected =
        "<img alt=\"&#34;Rex&#34; &#38; [friends] &#123;1&#125; é\" src=images/dogs.webp>\
        <img alt=\"\" src=\"images/a house.webp\"><img src=https://example.org/x.png>
        <a href=/><img alt=\"Home\" src=images/dogs.webp></a><img src=images/other.webp>";
    assert_eq!(written(&site, "index.html"), expected);
    assert_eq!(
        written(&site, "post.md"),
        "![&#34;Rex&#34; &#38; &#91;friends&#93; &#123;1&#125; é](images/dogs.webp) ![](images/a%20house.webp)\n"
    );
    for (wrong, words) in [
        ("[]", "no file of decisions"),
        (
            r#"{"decisions":[{"picture":"x","decision":"maybe"}]}"#,
            "x: the decision is \"maybe\"",
        ),
        (
            r#"{"decisions":[{"picture":"x","decision":"apply","text":" "}]}"#,
            "x: the text is empty",
        ),
    ] {
        fs::write(&file, wrong).unwrap();
        alt(&site, &["--decisions", &file]).fails(1, &[words]);
    }
    let long =
        json!({ "decisions": [{ "picture": "x", "decision": "apply", "text": "é".repeat(126) }] });
    fs::write(&file, long.to_string()).unwrap();
    alt(&site, &["--decisions", &file]).fails(1, &["126 characters, at most 125"]);
}

#[test]
fn the_page_to_review_has_each_picture_once() {
    let page = b"<img src=images/dogs.webp><a href=/><img src=images/dogs.webp></a><img src=\"</script>.png\">";
    let site = site(
        "review",
        &[
            ("index.html", page),
            ("a/index.html", b"<img src=../images/dogs.webp>"),
        ],
    );
    let review = Scratch::new("alt-review-file");
    let review = review.path("review.html");
    let run = alt(&site, &["--review", &review]);
    run.fails(1, &["review.html: 3 pictures", "4 of 4 pictures"]);
    let html = fs::read_to_string(review).unwrap();
    let (_, data) = html
        .split_once("const { rows, longest } = ")
        .expect("the data");
    let data = data.lines().next().unwrap().trim_end_matches(';');
    let data: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(data["longest"], 125);
    let rows = data["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    let [lost, dogs, link] = &rows[..] else {
        unreachable!()
    };
    assert_eq!(
        (&lost["picture"], &lost["problem"]),
        (&json!("</script>.png"), &json!("there is no such file"))
    );
    assert_eq!(dogs["places"], json!(["a/index.html:1", "index.html:1"]));
    assert_eq!(
        (&dogs["text"], &dogs["decision"]),
        (&json!(DOGS), &json!("apply"))
    );
    assert_eq!(
        (&link["link"], &link["text"], &link["decision"]),
        (&json!("/"), &json!(DOGS), &json!(""))
    );
    assert!(dogs["source"].as_str().unwrap().starts_with("file:///"));
    assert_eq!(html.matches("</script>").count(), 1);
}

#[test]
fn pages_that_cannot_be_read_fail_and_the_others_are_done() {
    let site = site(
        "utf-16",
        &[
            ("a.html", b"\xff\xfe<\0i\0m\0g\0>\0"),
            ("b.html", b"<img src=images/dogs.webp>"),
        ],
    );
    let run = alt(&site, &["--write"]);
    run.fails(
        1,
        &[
            "a.html is UTF-16: save it as UTF-8",
            "error: 1 page could not be done",
        ],
    );
    assert!(written(&site, "b.html").contains("alt="));
    let run = obscura(["alt", "none", &site.path("nowhere")]);
    run.fails(1, &["nowhere cannot be read"]);
    obscura(["alt", "none", &site.path("b.html")]).fails(1, &["b.html is no folder of a website"]);
}

#[cfg(unix)]
#[test]
fn links_hidden_files_and_what_is_installed_are_left_alone() {
    let page = b"<img src=x.png>";
    let site = site(
        "left-out",
        &[
            (".git/a.html", page),
            ("node_modules/a/a.html", page),
            ("a.txt", page),
        ],
    );
    let outside = Scratch::new("alt-outside");
    fs::write(outside.path("page.html"), page).unwrap();
    std::os::unix::fs::symlink(outside.path("page.html"), site.path("page.html")).unwrap();
    std::os::unix::fs::symlink(outside.path(""), site.path("folder")).unwrap();
    assert_eq!(alt(&site, &[]).code, 0);
}

#[test]
fn a_report_takes_no_model_and_texts_take_one_that_is_named() {
    let page = b"<img src=images/dogs.webp>";
    let site = site("unnamed", &[("index.html", page)]);
    let folder = site.path("");
    let run = obscura(["alt", &folder]);
    assert_eq!(
        run.stderr,
        "error: 1 of 1 picture on 1 page without alternative text\n"
    );
    for option in ["--suggest", "--diff", "--write", "--review=review.html"] {
        obscura(["alt", &folder, option]).fails(
            2,
            &["error: no model is named to write the texts", "--model"],
        );
    }
    let decisions = site.path("decisions.json");
    fs::write(
        &decisions,
        r#"{"decisions":[{"picture":"images/dogs.webp","decision":"decorative"}]}"#,
    )
    .unwrap();
    obscura(["alt", &folder, "--write", "--decisions", &decisions]).lines();
    assert_eq!(
        written(&site, "index.html"),
        "<img alt=\"\" src=images/dogs.webp>"
    );
}

/// Pages as four generators have built them: scripts/reference/sites/make.
#[test]
fn on_generators_pages_writing_adds_texts_and_nothing_else() {
    for (generator, texts, left) in [
        ("hugo", 6, "1 of 11"), // the list's picture has no address
        ("jekyll", 5, ""),
        ("eleventy", 4, ""),
        ("astro", 7, ""),
    ] {
        let made = Scratch::new(&format!("alt-{generator}"));
        let from = under_tests(&format!("sites/{generator}"));
        copy_folder(Path::new(&from), &made.0);
        let run = alt(&made, &["--write", "--links", "--json"]);
        let written: Vec<Value> = reported(&run)
            .into_iter()
            .filter(|value| value["written"] == true)
            .collect();
        assert_eq!(
            written.len(),
            texts,
            "{generator}: {}{}",
            run.stdout,
            run.stderr
        );
        match left {
            "" => assert_eq!(run.code, 0, "{generator}: {}", run.stderr),
            left => run.fails(1, &[left]),
        }
        compare(Path::new(&from), &made.0, &written);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_folder(&path, &to),
            false => {
                fs::copy(&path, &to).unwrap();
            }
        }
    }
}

/// Without the texts that were reported, the pages are what they were.
fn compare(before: &Path, after: &Path, written: &[Value]) {
    for entry in fs::read_dir(before).unwrap() {
        let before = entry.unwrap().path();
        let after = after.join(before.file_name().unwrap());
        if before.is_dir() {
            compare(&before, &after, written);
            continue;
        }
        let mut bytes = fs::read(&after).unwrap();
        for value in written.iter().filter(|value| value["page"] == json!(after)) {
            let lang = match before.components().any(|part| part.as_os_str() == "hugo") {
                true => " lang=\"en\"", // whose pages are German
                false => "",
            };
            let text = format!(" alt=\"{}\"{lang}", value["text"].as_str().unwrap());
            let place = bytes
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            let place = place.unwrap_or_else(|| panic!("{value}"));
            bytes.drain(place..place + text.len());
        }
        assert!(bytes == fs::read(&before).unwrap(), "{}", after.display());
    }
}

#[test]
fn a_killed_run_goes_on_with_the_pages_that_are_left() {
    let pages: Vec<(String, String)> = (0..40)
        .map(|place| {
            let picture = match place % 10 {
                7 => "images/broken.png".to_string(),
                _ => format!("images/{place}.webp"),
            };
            (
                format!("{place:02}.html"),
                format!("<p>\r\n<img src={picture}><img src=images/dogs.webp>"),
            )
        })
        .collect();
    let sites = ["killed", "undisturbed"].map(|name| {
        let site = site(name, &[]);
        for (place, (page, text)) in pages.iter().enumerate() {
            fs::write(site.path(page), text).unwrap();
            fs::copy(
                site.path("images/a house.webp"),
                site.path(&format!("images/{place}.webp")),
            )
            .unwrap();
        }
        fs::write(site.path("images/broken.png"), "no picture").unwrap();
        site
    });
    let [killed, undisturbed] = &sites;
    let words = [&root("www/models/pictograms.gguf"), &killed.path("")];
    let mut run = Command::new(env!("CARGO_BIN_EXE_obscura"))
        .args(["alt", words[0], words[1], "--write", "--device", "cpu"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    let done = |site: &Scratch| {
        pages
            .iter()
            .filter(|(page, _)| written(site, page).contains("alt="))
            .count()
    };
    let before = done(killed);
    assert!(
        (1..40).contains(&before),
        "killed in the middle: {before} pages were done"
    );
    for site in &sites {
        alt(site, &["--write"]).fails(1, &["error: 4 of 80 pictures on 40 pages"]);
    }
    assert_eq!(done(killed), 40);
    for (page, _) in &pages {
        assert_eq!(written(killed, page), written(undisturbed, page), "{page}");
    }
}
