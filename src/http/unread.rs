//! What is left of a request that was refused before it was read whole.
//!
//! A client that is still sending has to hear why it is refused, and whoever uses the connection next must not find it closed.
//! A server that answers and closes would take back its own answer: what arrives after the close is met with a reset, and the
//! client forgets what it has not read yet (RFC 9112, section 9.6). So the rest is read and thrown away first, within limits,
//! and only a connection that is still not empty is closed, with a word of warning. The outermost layer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;
use http_body::{Frame, SizeHint};
use tokio::sync::oneshot;

/// Bytes that are read and thrown away at most: a form of some photos.
const MOST: usize = 32 << 20;
/// For so long at most.
const LONGEST: Duration = Duration::from_secs(2);

/// Empties the connection of refused requests.
pub(super) async fn read_the_rest(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let version = request.version();
    let (give_back, mut given_back) = oneshot::channel();
    let request = request.map(|body| Body::new(Lent { body, give_back: Some(give_back) }));
    let mut response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    // Far too much, or not given back: the handler has left it to something that still reads it.
    let is_empty = match given_back.try_recv() {
        Ok(rest) if rest.size_hint().lower() <= MOST as u64 => is_emptied(rest).await,
        _ => false,
    };
    if !is_empty && version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads to the end; false when there is too much or it comes too slowly.
async fn is_emptied(rest: Body) -> bool {
    let read = async {
        let (mut stream, mut bytes) = (rest.into_data_stream(), 0);
        while let Some(Ok(part)) = stream.next().await {
            bytes += part.len();
            if bytes > MOST {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(LONGEST, read).await.unwrap_or(false)
}

/// A body that comes back when its reader lets go of it.
struct Lent {
    body: Body,
    give_back: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back.take() {
            // Nobody waits for it any more when the client has gone.
            let _ = give_back.send(std::mem::take(&mut self.body));
        }
    }
}
