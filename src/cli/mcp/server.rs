//! What rmcp asks a server for. It reads messages, agrees with the client on a version of the protocol, and answers all
//! that is no work by itself.

use super::calls::Call;
use obscura::{Error, Result};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest,
    CustomResult, ErrorCode, Implementation, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, ServerInitializeError};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::stdio;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use std::sync::mpsc;
use tracing_subscriber::filter::LevelFilter;

/// Longest message in bytes: a picture of 96 MB in base64 has room. rmcp passes over longer ones, which says so on
/// standard error: their ids are not read, so that there is nothing to answer to.
const LONGEST_MESSAGE: usize = 128 << 20;

const INSTRUCTIONS: &str = "Looks at pictures on this machine. A picture is given by path, if it lies in a folder that the \
    server may read, or as data in base64.";

#[derive(Debug)]
pub struct Server {
    offered: Vec<Tool>,
    calls: mpsc::Sender<Call>,
}

impl Server {
    /// Calls of these tools go to whoever receives them.
    pub fn new(offered: Vec<Tool>, calls: mpsc::Sender<Call>) -> Self {
        Self { offered, calls }
    }

    /// Serves until standard input ends and what was asked until then is answered, for which rmcp waits five seconds.
    pub fn serve(self) -> Result<()> {
        log_to_standard_error();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| Error::BadInput(format!("the server cannot start: {error}")))?;
        let served = runtime.block_on(async {
            let (input, output) = stdio();
            let transport =
                AsyncRwTransport::new_server(input, output).with_max_line_length(LONGEST_MESSAGE);
            match ServiceExt::serve(self, transport).await {
                Ok(running) => running.waiting().await.map(drop).map_err(broken),
                Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()), // before it said anything
                Err(ServerInitializeError::ExpectedInitializeRequest(_)) => Err(Error::BadInput(
                    "standard input: the first message is no request, expected initialize"
                        .to_string(),
                )),
                Err(error) => Err(broken(error)),
            }
        });
        runtime.shutdown_background(); // a thread of its may still wait for standard input
        served
    }

    fn is_offered(&self, tool: &str) -> bool {
        self.offered.iter().any(|one| one.name == tool)
    }

    fn no_tool(&self, tool: &str) -> ErrorData {
        let names: Vec<&str> = self.offered.iter().map(|one| one.name.as_ref()).collect();
        let words = format!("there is no tool '{tool}'; there are {}", names.join(", "));
        ErrorData::invalid_params(words, None)
    }
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::BadInput(format!("the client could not be served: {error}"))
}

/// What goes wrong between the client and rmcp, and cannot be told to the client.
fn log_to_standard_error() {
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::ERROR)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false);
    let _ = log.try_init(); // whoever has one already keeps it
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let name = Implementation::new("obscura", env!("CARGO_PKG_VERSION")).with_title("obscura");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(name)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.offered.clone()))
    }

    /// Hands a call on and waits. What goes wrong with a tool is a result, too: the agent is meant to read it.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> std::result::Result<CallToolResponse, ErrorData> {
        let tool = request.name.into_owned();
        if !self.is_offered(&tool) {
            return Err(self.no_tool(&tool));
        }
        let (call, answered) = Call::new(tool, request.arguments.unwrap_or_default(), context);
        let _ = self.calls.send(call); // it fails only if the other thread is gone, and then there is no answer either
        let lost = |_| ErrorData::internal_error("the call was lost", None);
        let result = match answered.await.map_err(lost)? {
            Ok(value) => CallToolResult::structured(value),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
        };
        Ok(result.into())
    }

    /// What rmcp does not take for a request of the protocol: of a method that is not in it, or a call that lacks what
    /// calls have, which rmcp would say to be of no known method.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<CustomResult, ErrorData> {
        if request.method != "tools/call" {
            let words = format!("there is no method '{}'", request.method);
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, words, None));
        }
        let wrong = match request.params_as::<CallToolRequestParams>() {
            Err(error) => error.to_string(),
            Ok(_) => "the parameters are missing".to_string(),
        };
        Err(ErrorData::invalid_params(wrong, None))
    }
}
