//! Finding the markers between which a file keeps its segments and the data of its scans.

/// The next marker from `at` on, past whatever is none, or nothing where the data ends.
pub(super) fn next_marker(data: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let rest = data.get(*at..)?;
        let found = rest.iter().position(|&byte| byte == 0xff)?;
        let fill = rest[found..].iter().take_while(|&&byte| byte == 0xff);
        *at += found + fill.count();
        let marker = *data.get(*at)?;
        *at += 1;
        if marker != 0 {
            return Some(marker);
        }
    }
}
