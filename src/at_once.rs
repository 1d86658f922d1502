//! Futures that never wait, without a runtime for those that do.

/// The result of a future whose every wait is over at once, as with the files of this machine.
///
/// # Panics
/// If it has to wait for anything else.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(result) => result,
        std::task::Poll::Pending => panic!("what is on this machine kept us waiting"),
    }
}
