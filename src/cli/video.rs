//! Frames of video files, which the program ffmpeg decodes.

use obscura::image::{self, RgbImage};
use obscura::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// Endings of videos, in small letters.
const ENDINGS: [&str; 14] = [
    "3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "webm",
    "wmv",
];

/// Whether a file is a video, by its name.
pub fn is_video(path: &Path) -> bool {
    is_named_so(path) && path.is_file()
}

/// Whether a name is a video's.
pub fn is_named_so(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// So many frames a second of a video, from its beginning on.
pub fn frames(video: &Path, rate: f64) -> Result<Frames> {
    let mut command = ffmpeg(video, "error");
    let filter = format!("fps={rate}");
    command.args(["-map", "0:v:0", "-vf", &filter, "-f", "image2pipe"]);
    command.args(["-c:v", "ppm", "-pix_fmt", "rgb24", "-"]);
    let mut child = command.spawn().map_err(|error| not_run(video, &error))?;
    let output = child.stdout.take().expect("it is piped");
    let mut messages = child.stderr.take().expect("it is piped");
    // Read beside the frames: who writes many complaints would wait for ever.
    let messages = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = messages.read_to_end(&mut bytes); // fewer words in a message
        String::from_utf8_lossy(&bytes).into_owned()
    });
    Ok(Frames {
        video: video.to_owned(),
        child,
        output: BufReader::new(output),
        messages: Some(messages),
        count: 0,
    })
}

/// `count` frames of a whole video, at equal distances.
pub fn some_frames(video: &Path, count: usize) -> Result<Vec<RgbImage>> {
    let frames = frames(video, count as f64 / seconds(video)?)?;
    frames.take(count).collect()
}

/// How long a video is.
fn seconds(video: &Path) -> Result<f64> {
    let mut command = ffmpeg(video, "info");
    command.args(["-t", "0", "-f", "null", "-"]);
    let output = command.output().map_err(|error| not_run(video, &error))?;
    let text = String::from_utf8_lossy(&output.stderr);
    duration(&text).ok_or_else(|| {
        Error::BadImage(format!(
            "{}: ffmpeg does not say how long the video is",
            video.display()
        ))
    })
}

/// `Duration: 00:01:02.50, ...` in what ffmpeg says of a file.
fn duration(text: &str) -> Option<f64> {
    let (_, rest) = text.split_once("Duration: ")?;
    let time = rest.split(',').next()?.trim();
    let mut seconds = 0.0;
    for part in time.split(':') {
        seconds = 60.0 * seconds + part.parse::<f64>().ok()?;
    }
    (seconds > 0.0).then_some(seconds)
}

/// ffmpeg with a video as its input. Names are files' here, whatever they look like, and a playlist
/// reaches no network.
fn ffmpeg(video: &Path, tells: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-v", tells]);
    command.args(["-protocol_whitelist", "file,crypto,data", "-i"]);
    let mut input = OsString::from("file:");
    input.push(video);
    command.arg(input);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn not_run(video: &Path, error: &std::io::Error) -> Error {
    let video = video.display();
    Error::BadImage(match error.kind() {
        ErrorKind::NotFound => format!(
            "{video}: frames of a video take the program ffmpeg, which is not on the PATH (Debian: apt install ffmpeg)"
        ),
        _ => format!("{video}: ffmpeg cannot be started: {error}"),
    })
}

/// A video's frames, one after another.
pub struct Frames {
    video: PathBuf,
    child: Child,
    output: BufReader<ChildStdout>,
    messages: Option<JoinHandle<String>>,
    count: usize,
}

impl Iterator for Frames {
    type Item = Result<RgbImage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.messages.as_ref()?; // over, after a failure
        match read_ppm(&mut self.output) {
            Ok(Some(image)) => {
                self.count += 1;
                Some(Ok(image))
            }
            Ok(None) => self.end(None).map(Err),
            Err(what) => self.end(Some(what)).map(Err),
        }
    }
}

impl Frames {
    /// The failure at the end, if it is one.
    fn end(&mut self, what: Option<String>) -> Option<Error> {
        let messages = self.messages.take()?;
        if what.is_some() {
            let _ = self.child.kill(); // it may have ended
        }
        let is_well = self.child.wait().is_ok_and(|status| status.success());
        let said = messages.join().unwrap_or_default();
        let said = said.trim().lines().last().map(str::to_string);
        let nothing = || (self.count == 0).then(|| "the video has no frames".to_string());
        let what = what.or_else(|| match is_well {
            true => nothing(),
            false => Some(said.unwrap_or_else(|| "ffmpeg failed".to_string())),
        })?;
        let video = self.video.display();
        Some(Error::BadImage(format!("{video}: {what}")))
    }
}

/// Who wants no more frames ends ffmpeg.
impl Drop for Frames {
    fn drop(&mut self) {
        if self.messages.is_some() {
            let _ = self.child.kill(); // it may have ended
            let _ = self.child.wait();
        }
    }
}

/// The next picture of a stream of PPM files; None at its end.
fn read_ppm(stream: &mut impl BufRead) -> std::result::Result<Option<RgbImage>, String> {
    let failed = |error: std::io::Error| format!("the frames of ffmpeg break off: {error}");
    if stream.fill_buf().map_err(failed)?.is_empty() {
        return Ok(None);
    }
    let mut header = [const { String::new() }; 4];
    for word in &mut header {
        *word = read_word(stream).map_err(failed)?;
    }
    let [magic, width, height, most] = &header;
    let sizes = width.parse().ok().zip(height.parse().ok());
    let (Some((width, height)), "P6", "255") = (sizes, magic.as_str(), most.as_str()) else {
        return Err(format!("ffmpeg wrote {header:?}, expected a PPM file"));
    };
    let length = u64::from(width) * u64::from(height) * 3;
    let mut pixels = Vec::new();
    let read = stream
        .take(length)
        .read_to_end(&mut pixels)
        .map_err(failed)?;
    if read as u64 != length {
        return Err("the last frame of ffmpeg is not whole".to_string());
    }
    let image = image::from_rgb(width, height, pixels);
    image.map(Some).map_err(|error| error.to_string())
}

/// Up to one white space.
fn read_word(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut word = String::new();
    let mut byte = [0];
    while word.len() < 20 {
        stream.read_exact(&mut byte)?;
        if byte[0].is_ascii_whitespace() {
            break;
        }
        word.push(char::from(byte[0]));
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_ppm_files_is_read_picture_by_picture() {
        let bytes = b"P6\n2 1\n255\nabcdefP6\n1 1\n255\nxyz";
        let mut stream = &bytes[..];
        let mut next = || read_ppm(&mut stream);
        assert_eq!(next().unwrap().unwrap().as_raw(), b"abcdef");
        assert_eq!(next().unwrap().unwrap().as_raw(), b"xyz");
        assert_eq!(next(), Ok(None));
        for bytes in [
            "P6\n2 1\n255\nabc",
            "P5\n1 1\n255\na",
            "P6\n9",
            "P6\na b\n255\n",
        ] {
            assert!(read_ppm(&mut bytes.as_bytes()).is_err(), "{bytes}");
        }
    }

    #[test]
    fn ffmpegs_durations_are_read() {
        assert_eq!(
            duration("x\n  Duration: 01:00:02.50, start: 0"),
            Some(3602.5)
        );
        assert_eq!(duration("Duration: N/A, bitrate"), None);
        assert_eq!(duration(""), None);
    }
}
