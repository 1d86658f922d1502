//! Pictures without alternative text in HTML, found by lol_html, which parses as browsers do. It only says where they are:
//! a tag that it sets an attribute of, it writes anew, with other spaces, and every other byte is to stay.

use super::Told;
use super::reader::{Found, Reader, Tag};
use lol_html::html_content::{Element, TextType};
use lol_html::{AsciiCompatibleEncoding, HtmlRewriter, Settings, element, end_tag, text};
use std::cell::RefCell;
use std::rc::Rc;

/// Looks through a page of any encoding that has ASCII in it.
pub fn find(bytes: &[u8]) -> Told<Found> {
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    let reader = Rc::new(RefCell::new(Reader::new(is_utf8)));
    let hide = || reader.borrow_mut().is_hidden = true; // what the handlers behind are called for next
    let settings = Settings::new()
        .with_strict(false) // to guess where a page is not clear, as browsers do
        .with_encoding(encoding(is_utf8))
        .append_element_content_handler(element!(
            r#"[aria-hidden="true"], [aria-hidden="true"] *"#,
            |_| {
                hide();
                Ok(())
            }
        ))
        .append_element_content_handler(text!(
            r#"a[aria-hidden="true"], a [aria-hidden="true"], [aria-hidden="true"] a"#,
            |_| {
                hide();
                Ok(())
            }
        ))
        .append_element_content_handler(element!("*", |element| {
            open(element, &reader);
            reader.borrow_mut().is_hidden = false;
            Ok(())
        }))
        .append_element_content_handler(text!("a", |text| {
            if text.text_type() == TextType::Data {
                reader.borrow_mut().words(text.as_str());
            }
            reader.borrow_mut().is_hidden = false;
            Ok(())
        }));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    let parsed = rewriter.write(bytes).and_then(|()| rewriter.end());
    parsed.map_err(|error| error.to_string())?;
    Ok(reader.borrow_mut().finish())
}

/// Of a page that is not UTF-8, browsers take that it is in Windows' variant of Latin-1, unless it says otherwise.
fn encoding(is_utf8: bool) -> AsciiCompatibleEncoding {
    match is_utf8 {
        true => AsciiCompatibleEncoding::utf_8(),
        false => AsciiCompatibleEncoding::new(encoding_rs::WINDOWS_1252).expect("it has ASCII"),
    }
}

fn open(element: &mut Element, reader: &Rc<RefCell<Reader>>) {
    let meant = |value: String| htmlize::unescape_attribute(value).into_owned();
    let attributes = element.attributes().iter();
    let tag = Tag {
        name: element.tag_name(),
        attributes: attributes
            .map(|it| (it.name(), meant(it.value())))
            .collect(),
    };
    let insert = element.source_location().bytes().start + "<".len() + tag.name.len();
    let Some(opened) = reader.borrow_mut().open(&tag, insert) else {
        return;
    };
    if let Some(handlers) = element.end_tag_handlers() {
        let reader = reader.clone();
        handlers.push(end_tag!(move |_| {
            reader.borrow_mut().close(opened);
            Ok(())
        }));
    }
}
