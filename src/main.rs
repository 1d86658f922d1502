//! The native command line: the browser's tasks over files, and `convert` and `inspect`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
